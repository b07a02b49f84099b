// The reference for cross_entropy.md: plain loops, float or double.
#include <algorithm>
#include <cmath>

#include "core/plain_math.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"

namespace statera {

namespace {
template <class T>
void forward(const CrossEntropyForward<T>& a, Exec&) noexcept {
  for (int64_t n = 0; n < a.rows; ++n) {
    const T* row = a.logits + n * a.stride;
    const T m = *std::max_element(row, row + a.vocab);
    T sum = 0;
    for (int64_t v = 0; v < a.vocab; ++v) sum += plain::exp(row[v] - m);
    a.log_sum[n] = m + plain::log(sum);
    a.nll[n] = a.targets[n] < 0 ? 0 : a.log_sum[n] - row[a.targets[n]];
  }
}

template <class T>
void backward(const CrossEntropyBackward<T>& a, Exec&) noexcept {
  for (int64_t n = 0; n < a.rows; ++n)
    for (int64_t v = 0; v < a.vocab; ++v) {
      const T p = plain::exp(a.logits[n * a.stride + v] - a.log_sum[n]);
      a.dlogits[n * a.dstride + v] = a.targets[n] < 0 ? 0 : a.scale * (p - (v == a.targets[n] ? 1 : 0));
    }
}
}  // namespace

const CrossEntropyKernels<double> cross_entropy_ref_f64{.forward = forward<double>, .backward = backward<double>};
const CrossEntropyKernels<float> cross_entropy_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
