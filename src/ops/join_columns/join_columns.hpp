// join_columns: two matrices side by side, y = a | b: the stream and the embedding that a shared block of Zamba reads.
// It moves memory, so one loop serves as reference and fast path.
#pragma once
#include "core/exec.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

// a [N, A], b [N, B] -> y [N, A + B]. Throws shape.
void join_columns(Exec&, const View& a, const View& b, const View& y);
Var join_columns(Tape&, Var a, Var b);

std::vector<OpCase> join_columns_cases();

}  // namespace statera
