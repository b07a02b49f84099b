// join_columns: two matrices side by side, y = a | b. A shared block of Zamba reads the residual stream and the
// embedding like this. It only copies.
#pragma once
#include "core/exec.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

// a [N, A], b [N, B] -> y [N, A + B]. Throws ErrorCode::shape if shapes or dtypes do not fit.
void join_columns(Exec&, const View& a, const View& b, const View& y);
Var join_columns(Tape&, Var a, Var b);

std::vector<OpCase> join_columns_cases();

}  // namespace statera
