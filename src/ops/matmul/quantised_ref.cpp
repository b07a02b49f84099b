// The reference for quantised.md: plain loops. Numbers are quantised in float; T is the type in which the sums of scale
// blocks are added.
#include "ops/matmul/quantised.hpp"

namespace statera {

namespace {
template <class T>
void product(const QuantisedProduct<T>& p, Exec&) noexcept {
  for (int64_t i = 0; i < p.rows; ++i) {
    T* y = p.y + i * p.y_stride;
    for (int64_t j = 0; j < p.w.n && !p.accumulate; ++j) y[j] = 0;
    for (int64_t b = 0; b < p.w.blocks(); ++b) {
      const int64_t first = b * quantised_block, n = std::min(quantised_block, p.w.k - first);
      int8_t q[quantised_block];
      const float scale = quantise_block(p.x + i * p.x_stride + first, n, q);
      for (int64_t j = 0; j < p.w.n; ++j) {
        int32_t sum = 0;
        for (int64_t k = 0; k < n; ++k) sum += q[k] * p.w.value(first + k, j);
        y[j] += static_cast<T>(sum) * (static_cast<T>(scale) * static_cast<T>(p.w.scale(j, b)));
      }
    }
  }
}
}  // namespace

const QuantisedKernels<double> quantised_ref_f64{.product = product<double>};
const QuantisedKernels<float> quantised_ref_f32{.product = product<float>};

}  // namespace statera
