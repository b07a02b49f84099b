// matmul: y = x W^T + bias, and its three gradients. See matmul.md for the order of summation and the tasks.
#pragma once
#include "kernels/kernels.hpp"
#include "ops/matmul/weight.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

// c = a b, or c += a b. Each element is one chain of additions over k, which with `accumulate` starts from c. y = x W^T
// has b transposed, dx = dy W has not.
template <class T>
struct MatmulProduct {
  const T* a;  // [m, k], rows lda apart
  int64_t lda;
  const T* b;  // [n, k] if `transposed`, else [k, n]; rows ldb apart
  int64_t ldb;
  bool transposed;
  Panels panels;  // the same b, for the fast kernels; pairs for those of bf16
  T* c;           // [m, n], rows ldc apart
  int64_t ldc;
  int64_t m, n, k;
  bool accumulate;
};

// dw = dy^T x
template <class T>
struct MatmulWeightGrad {
  const T* dy;  // [rows, out]
  int64_t dy_stride;
  const T* x;  // [rows, in]
  int64_t x_stride;
  T* dw;  // [out, in]
  int64_t dw_stride;
  int64_t rows, out, in;
};

// dbias = the sum of the rows of dy
template <class T>
struct MatmulBiasGrad {
  const T* dy;  // [rows, out]
  int64_t dy_stride;
  T* dbias;  // [out]
  int64_t rows, out;
};

// Sets each row of y to `row`: the bias, from which the product starts.
template <class T>
struct MatmulSetRows {
  const T* row;  // [n]
  T* y;          // [m, n], rows y_stride apart
  int64_t m, n, y_stride;
};

template <class T>
struct MatmulKernels {
  Kernel<void(const MatmulSetRows<T>&, Exec&) noexcept> set_rows;
  Kernel<void(const MatmulProduct<T>&, Exec&) noexcept> product;
  Kernel<void(const MatmulWeightGrad<T>&, Exec&) noexcept> weight_grad;
  Kernel<void(const MatmulBiasGrad<T>&, Exec&) noexcept> bias_grad;
};
void matmul_set_rows(const MatmulSetRows<float>&, Exec&) noexcept;
extern const MatmulKernels<double> matmul_ref_f64;
extern const MatmulKernels<float> matmul_ref_f32, matmul_cpu, matmul_portable;
inline constexpr Kernels<MatmulKernels> matmul_kernels{.op = "matmul",
                                                       .f64 = &matmul_ref_f64,
                                                       .f32 = &matmul_ref_f32,
                                                       .f32_cpu = &matmul_cpu,
                                                       .f32_portable = &matmul_portable};
// For Precision::bf16: factors are rounded to bf16, sums are in fp32.
extern const MatmulKernels<float> matmul_bf16_ref, matmul_bf16_cpu;
inline constexpr Kernels<MatmulKernels> matmul_bf16_kernels{
    .op = "matmul in bf16", .f64 = &matmul_ref_f64, .f32 = &matmul_bf16_ref, .f32_cpu = &matmul_bf16_cpu};

// Inference: x [N, in], w [out, in], bias [out] or empty -> y [N, out]. x and y may be strided. Throws
// ErrorCode::shape.
void matmul(Exec&, const View& x, const Weight& w, const View& y, const View& bias = {});
// Training. Backward adds the gradient of w to w.grad() unless that is empty. `w` must live until the tape's reset().
// Throws ErrorCode::shape, and ErrorCode::unsupported if a gradient is needed and w is in 8 or 4 bits.
Var matmul(Tape&, Var x, const Weight& w, Var bias = {});
// The same for a w [out, in] that is a value on the tape.
Var matmul(Tape&, Var x, Var w, Var bias = {});

std::vector<OpCase> matmul_cases();

}  // namespace statera
