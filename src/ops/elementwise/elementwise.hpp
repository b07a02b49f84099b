// Small operations on the elements of a row. Except for the exponential, one loop is reference and fast path. All throw
// ErrorCode::shape if the shapes or dtypes differ.
#pragma once
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct Factors {
  double a = 1, b = 1;
};

// y = factors.a a + factors.b b, equal shapes [N, C]; for the residual stream. On Views, y may be a or b.
void add(Exec&, const View& a, const View& b, const View& y, const Factors& factors = {});
Var add(Tape&, Var a, Var b, const Factors& factors = {});

// y = factor a, [N, C]. On Views, y may be a. On a tape, a itself is returned for a factor of 1.
void scaled(Exec&, const View& a, double factor, const View& y);
Var scaled(Tape&, Var a, double factor);

// y = a minus the mean of its row, [N, C]. With an RMS norm after it, this is layer norm (Ba et al., 2016, eq. 3). On
// Views, y may be a.
void centered(Exec&, const View& a, const View& y);
Var centered(Tape&, Var a);

// y = -exp(a), any shape: A from A_log (Gu and Dao, "Mamba", 2023, section 3.6).
void neg_exp(Exec&, const View& a, const View& y);
Var neg_exp(Tape&, Var a);

template <class T>
struct ElementwiseArguments {
  const T *a, *b;  // [N, C], rows *_stride apart; b may be null for a kernel of one input
  T* y;            // [N, C], rows y_stride apart; may be a or b
  int64_t rows, columns, a_stride, b_stride, y_stride;
  T factor_a = 1, factor_b = 1;
};

template <class T>
struct ElementwiseKernels {
  Kernel<void(const ElementwiseArguments<T>&, Exec&) noexcept> add;       // factor_a a + factor_b b
  Kernel<void(const ElementwiseArguments<T>&, Exec&) noexcept> scaled;    // factor_a a
  Kernel<void(const ElementwiseArguments<T>&, Exec&) noexcept> centered;  // a minus the mean of its row
  Kernel<void(const ElementwiseArguments<T>&, Exec&) noexcept> neg_exp;   // -exp(a)
  Kernel<void(const ElementwiseArguments<T>&, Exec&) noexcept> product;   // a b; the gradient of neg_exp is dy y
};
extern const ElementwiseKernels<double> elementwise_ref_f64;
extern const ElementwiseKernels<float> elementwise_ref_f32, elementwise_cpu;
inline constexpr Kernels<ElementwiseKernels> elementwise_kernels{
    .op = "elementwise", .f64 = &elementwise_ref_f64, .f32 = &elementwise_ref_f32, .f32_cpu = &elementwise_cpu};
void neg_exp_cpu(const ElementwiseArguments<float>&, Exec&) noexcept;

std::vector<OpCase> elementwise_cases();

}  // namespace statera
