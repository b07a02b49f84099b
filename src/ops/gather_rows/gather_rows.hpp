// gather_rows: a matrix made of rows of two others, in any order: keys of an earlier batch before those of this one,
// the last keys of each sequence. It moves memory, so one loop serves as reference and fast path.
#pragma once
#include <span>

#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

inline constexpr int32_t no_row = INT32_MAX;

// Row i of y is row index[i] of a, or row -1 - index[i] of b where that is negative, or zeros for no_row. a [N, C]; b
// is absent or a dense tensor of rows of C; y has `shape`, its elements are index.size() rows of C. The index lives
// until the tape's reset(). Gradient: rows are added in the order of the index.
Var gather_rows(Tape&, Var a, Var b, std::span<const int32_t> index, const Shape& shape);

std::vector<OpCase> gather_rows_cases();

}  // namespace statera
