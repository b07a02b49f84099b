// The reference for matmul.md: plain loops, float or double, or float with factors rounded to bf16.
#include <algorithm>

#include "ops/matmul/bf16.hpp"
#include "ops/matmul/matmul.hpp"

namespace statera {

namespace {
// How a factor is rounded before it is multiplied.
struct Exact {
  template <class T>
  T operator()(T value) const {
    return value;
  }
};
struct Bf16 {
  float operator()(float value) const { return round_to_bf16(value); }
};

// It moves memory, so it is also the fast path.
template <class T>
void set_rows(const MatmulSetRows<T>& p, Exec&) noexcept {
  for (int64_t i = 0; i < p.m; ++i) std::copy_n(p.row, p.n, p.y + i * p.y_stride);
}

template <class T, class Round = Exact>
void product(const MatmulProduct<T>& p, Exec&) noexcept {
  const Round r;
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) {
      T sum = p.accumulate ? p.c[i * p.ldc + j] : T{0};
      for (int64_t k = 0; k < p.k; ++k)
        sum += r(p.a[i * p.lda + k]) * r(p.transposed ? p.b[j * p.ldb + k] : p.b[k * p.ldb + j]);
      p.c[i * p.ldc + j] = sum;
    }
}

template <class T, class Round = Exact>
void weight_grad(const MatmulWeightGrad<T>& p, Exec&) noexcept {
  const Round r;
  for (int64_t o = 0; o < p.out; ++o) std::fill_n(p.dw + o * p.dw_stride, p.in, T{0});
  for (int64_t n = 0; n < p.rows; ++n)
    for (int64_t o = 0; o < p.out; ++o)
      for (int64_t i = 0; i < p.in; ++i)
        p.dw[o * p.dw_stride + i] += r(p.dy[n * p.dy_stride + o]) * r(p.x[n * p.x_stride + i]);
}

template <class T>
void bias_grad(const MatmulBiasGrad<T>& p, Exec&) noexcept {
  std::fill_n(p.dbias, p.out, T{0});
  for (int64_t n = 0; n < p.rows; ++n)
    for (int64_t o = 0; o < p.out; ++o) p.dbias[o] += p.dy[n * p.dy_stride + o];
}
}  // namespace

void matmul_set_rows(const MatmulSetRows<float>& p, Exec& exec) noexcept { set_rows(p, exec); }

const MatmulKernels<double> matmul_ref_f64{.set_rows = set_rows<double>,
                                           .product = product<double>,
                                           .weight_grad = weight_grad<double>,
                                           .bias_grad = bias_grad<double>};
const MatmulKernels<float> matmul_ref_f32{.set_rows = set_rows<float>,
                                          .product = product<float>,
                                          .weight_grad = weight_grad<float>,
                                          .bias_grad = bias_grad<float>};
const MatmulKernels<float> matmul_bf16_ref{.set_rows = set_rows<float>,
                                           .product = product<float, Bf16>,
                                           .weight_grad = weight_grad<float, Bf16>,
                                           .bias_grad = bias_grad<float>};

}  // namespace statera
