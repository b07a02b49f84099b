// embedding: y[n] = table[ids[n]]. Gradient: rows of dy are summed into dtable in the order of the positions.
#pragma once
#include <span>

#include "core/exec.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

// ids [N], each in [0, rows of table); table [V, d] -> y [N, d]. Throws shape and names the id.
void embedding(Exec&, std::span<const int32_t> ids, const View& table, const View& y);
Var embedding(Tape&, std::span<const int32_t> ids, Var table);

std::vector<OpCase> embedding_cases();

}  // namespace statera
