// One table of shapes for each operation serves the laws, the gradient check, the golden files, the benchmark and the support matrix.
//
// An OpCase says how to call the operation on a tape: from named inputs to named outputs. Everything else (random inputs in double,
// reference against finite differences, fast path against double, threads, NaN-filled outputs, timing) is done once for all cases.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "statera/tape.hpp"

namespace statera {

struct OpInput {
  std::string name;
  Shape shape;
  double low = -1, high = 1;  // uniform random values for tests
  bool gradient = true;
};

using NamedVars = std::map<std::string, Var>;

struct OpCase {
  std::string op, name;
  std::vector<OpInput> inputs;
  std::function<NamedVars(Tape&, const NamedVars& inputs)> run;
  int64_t reduction = 1;  // length of the longest sum inside: tolerance = eps sqrt(reduction)
  double flops = 0;       // minimal FLOPs of forward; 0: counted by traffic alone
  bool benchmark = false; // a published shape: too large for finite differences, timed by `statera bench`
};

// All of them, in the order of the list in op_cases.cpp.
std::vector<OpCase> all_op_cases();

}  // namespace statera
