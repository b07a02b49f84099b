// gather_rows: a matrix made of rows of two others, in any order. Attention uses it to put the keys of an earlier batch
// before those of this one, and to take the last keys of each sequence. It moves memory, so one loop is reference and
// fast path.
#pragma once
#include <span>

#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

inline constexpr int32_t no_row = INT32_MAX;  // the index of a row of zeros

// Forward reads a and b and writes y. Backward reads y, the gradient of the output, and writes a and b, the gradients
// of the inputs.
template <class T>
struct GatherRows {
  T *a, *b, *y;          // [N, C], rows a_stride apart; [M, C], dense; [I, C], dense
  const int32_t* index;  // [I], as in gather_rows
  int64_t rows_a, rows_b, rows, width, a_stride;
};  // In backward a and b may each be null.

template <class T>
struct GatherRowsKernels {
  Kernel<void(const GatherRows<T>&, Exec&) noexcept> forward;
  Kernel<void(const GatherRows<T>&, Exec&) noexcept> backward;
};
extern const GatherRowsKernels<double> gather_rows_ref_f64;
extern const GatherRowsKernels<float> gather_rows_ref_f32;  // it moves memory: also the fast path
inline constexpr Kernels<GatherRowsKernels> gather_rows_kernels{
    .op = "gather_rows", .f64 = &gather_rows_ref_f64, .f32 = &gather_rows_ref_f32, .f32_cpu = &gather_rows_ref_f32};

// Row i of y is row index[i] of a if index[i] >= 0, row -1 - index[i] of b if it is negative, or zeros for no_row. a
// [N, C]; b is absent or dense, with a multiple of C elements; y has the shape `shape`, of index.size() rows of C. The
// index is borrowed until the tape's reset(). Gradient: rows are added in the order of the index. Throws
// ErrorCode::shape.
Var gather_rows(Tape&, Var a, Var b, std::span<const int32_t> index, const Shape& shape);

std::vector<OpCase> gather_rows_cases();

}  // namespace statera
