// join_columns: two matrices side by side, y = a | b. A shared block of Zamba reads the residual stream and the
// embedding like this. It moves memory, so one loop is reference and fast path.
#pragma once
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

// Forward reads a and b and writes y. Backward reads y, the gradient of the output, and writes a and b, the gradients
// of the inputs.
template <class T>
struct JoinColumns {
  T *a, *b, *y;  // [N, A], [N, B], [N, A + B]; rows a_stride, b_stride and y_stride apart
  int64_t rows, a_columns, b_columns, a_stride, b_stride, y_stride;
};  // In backward a and b may each be null.

template <class T>
struct JoinColumnsKernels {
  Kernel<void(const JoinColumns<T>&, Exec&) noexcept> forward;
  Kernel<void(const JoinColumns<T>&, Exec&) noexcept> backward;
};
extern const JoinColumnsKernels<double> join_columns_ref_f64;
extern const JoinColumnsKernels<float> join_columns_ref_f32;  // it moves memory: also the fast path
inline constexpr Kernels<JoinColumnsKernels> join_columns_kernels{
    .op = "join_columns", .f64 = &join_columns_ref_f64, .f32 = &join_columns_ref_f32, .f32_cpu = &join_columns_ref_f32};

// a [N, A], b [N, B] -> y [N, A + B]. Throws ErrorCode::shape if shapes or dtypes do not fit.
void join_columns(Exec&, const View& a, const View& b, const View& y);
Var join_columns(Tape&, Var a, Var b);

std::vector<OpCase> join_columns_cases();

}  // namespace statera
