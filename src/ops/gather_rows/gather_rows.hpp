// gather_rows: a matrix made of rows of two others, in any order: keys of an earlier batch before those of this one,
// the last keys of each sequence. It moves memory, so one loop serves as reference and fast path.
#pragma once
#include <span>

#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

inline constexpr int32_t no_row = INT32_MAX;

template <class T>
struct GatherRows {
  T *a, *b, *y;  // [N, C], rows a_stride apart; [M, C], dense; [I, C], dense. forward: a, b to y; backward: from y.
  const int32_t* index;  // [I], as in gather_rows
  int64_t rows_a, rows_b, rows, width, a_stride;
};  // In backward a and b may each be null.

template <class T>
struct GatherRowsKernels {
  const char* name;
  void (*forward)(const GatherRows<T>&, Exec&) noexcept;
  void (*backward)(const GatherRows<T>&, Exec&) noexcept;
};
extern const GatherRowsKernels<double> gather_rows_ref_f64;
extern const GatherRowsKernels<float> gather_rows_ref_f32;  // it moves memory: the fast path too
inline constexpr Kernels<GatherRowsKernels> gather_rows_kernels{
    .op = "gather_rows", .f64 = &gather_rows_ref_f64, .f32 = &gather_rows_ref_f32, .f32_cpu = &gather_rows_ref_f32};

// Row i of y is row index[i] of a, or row -1 - index[i] of b where that is negative, or zeros for no_row. a [N, C]; b
// is absent or a dense tensor of rows of C; y has `shape`, its elements are index.size() rows of C. The index lives
// until the tape's reset(). Gradient: rows are added in the order of the index.
Var gather_rows(Tape&, Var a, Var b, std::span<const int32_t> index, const Shape& shape);

std::vector<OpCase> gather_rows_cases();

}  // namespace statera
