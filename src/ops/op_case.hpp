// One table of shapes for each operation serves the laws, the gradient check, the golden files, the benchmark and the
// support matrix.
//
// An OpCase says how to call the operation on a tape: from named inputs to named outputs. Everything else (random
// inputs in double, reference against finite differences, fast path against double, threads, NaN-filled outputs,
// timing) is done once for all cases.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/exec.hpp"
#include "statera/tape.hpp"

namespace statera {

struct OpInput {
  std::string name;
  Shape shape;
  double low = -1, high = 1;  // uniform random values for tests
  bool gradient = true;
  double used = 1;  // share of the elements that the operation reads: the rest are columns of others
};

using NamedVars = std::map<std::string, Var>;
using NamedViews = std::map<std::string, View>;
inline View view_or_empty(const NamedViews& views, const char* name) {
  return views.contains(name) ? views.at(name) : View();
}

// Memory of the states [S, ...] that a call of the inference face moves on: the rows of `initial`, or zeros of its own.
struct CaseStates {
  CaseStates(const View& initial, DType dtype, const Shape& shape);
  std::shared_ptr<Tensor> own;
  std::vector<void*> pointers;
};

struct OpCase {
  std::string op, name;
  std::vector<OpInput> inputs;
  std::function<NamedVars(Tape&, const NamedVars& inputs)> run;
  // The other face, of inference: takes the same inputs and the memory of the output "y", does what is done once (packs
  // a weight, writes the earlier keys into blocks), and gives back one call: it writes y and moves the states in
  // "initial" on. Empty: training only.
  std::function<std::function<void(Exec&)>(Exec&, const NamedViews& inputs, const View& y)> advance = {};
  int64_t reduction = 1;   // length of the longest sum inside: tolerance = eps sqrt(reduction)
  double flops = 0;        // minimal FLOPs of forward, backward has twice as many; 0: counted by traffic alone
  bool benchmark = false;  // a published shape: too large for finite differences, timed by `statera bench`
  bool step = false;       // a benchmark of `advance`: one row a sequence
};

// All of them, in the order of the list in op_cases.cpp.
std::vector<OpCase> all_op_cases();

}  // namespace statera
