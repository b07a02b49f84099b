// The truth for swiglu.md: plain loops, float or double.
#include <cmath>

#include "ops/swiglu/swiglu.hpp"

namespace statera {

namespace {
template <class T> T sigmoid(T a) { return 1 / (1 + std::exp(-a)); }

template <class T>
void forward(const SwigluForward<T>& a, Exec&) noexcept {
  for (int64_t n = 0; n < a.rows; ++n)
    for (int64_t j = 0; j < a.d_ff; ++j) {
      const T gate = a.gate[n * a.stride + j], up = a.up[n * a.stride + j];
      a.y[n * a.d_ff + j] = gate * sigmoid(gate) * up;
    }
}

template <class T>
void backward(const SwigluBackward<T>& a, Exec&) noexcept {
  for (int64_t n = 0; n < a.rows; ++n)
    for (int64_t j = 0; j < a.d_ff; ++j) {
      const T gate = a.gate[n * a.stride + j], up = a.up[n * a.stride + j], dy = a.dy[n * a.d_ff + j];
      const T s = sigmoid(gate);
      a.dup[n * a.dstride + j] = dy * gate * s;
      a.dgate[n * a.dstride + j] = dy * up * s * (1 + gate * (1 - s));
    }
}
}  // namespace

const SwigluKernels<double> swiglu_ref_f64{"swiglu_ref", forward<double>, backward<double>};
const SwigluKernels<float> swiglu_ref_f32{"swiglu_ref", forward<float>, backward<float>};

}  // namespace statera
