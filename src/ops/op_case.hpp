// Each operation has one table of cases, which serves the laws, the gradient check, the golden files and the benchmark.
//
// An OpCase says how to call the operation on named inputs and gives back named outputs. Everything else (random inputs
// in double, reference against finite differences, fast path against double, threads, outputs filled with NaN, timing)
// is written once for all cases.
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
  double used = 1;  // share of the elements that the operation reads, for the benchmark's count of bytes
};

using NamedVars = std::map<std::string, Var>;
using NamedViews = std::map<std::string, View>;
inline View view_or_empty(const NamedViews& views, const char* name) {
  return views.contains(name) ? views.at(name) : View();
}

// The states [S, ...] that a call of the inference face updates in place: the rows of `initial`, which it borrows, or
// zeros of its own if that is empty.
struct CaseStates {
  CaseStates(const View& initial, DType dtype, const Shape& shape);
  std::shared_ptr<Tensor> own;
  std::vector<void*> pointers;
};

struct OpCase {
  std::string op, name;
  std::vector<OpInput> inputs;
  std::function<NamedVars(Tape&, const NamedVars& inputs)> run;
  // The inference face. Takes the same inputs and the memory of the output "y". Does what is done once (packs a weight,
  // writes the earlier keys into key blocks) and returns a function that makes one call: it writes y and updates the
  // states in "initial". Empty: training only.
  std::function<std::function<void(Exec&)>(Exec&, const NamedViews& inputs, const View& y)> advance = {};
  int64_t reduction = 1;  // length of the longest sum inside; the tolerance grows with its square root
  double flops = 0;       // minimal FLOPs of forward, backward has twice as many; 0: only bytes are counted
  // The gradient is on purpose not that of the function: golden files check it, and finite differences cannot.
  bool surrogate = false;
  bool benchmark = false;  // a shape of a real model: too large for finite differences, timed by `statera bench`
  bool step = false;       // a benchmark of `advance`, mostly with one row per sequence
};

// All of them, in the order of the list in op_cases.cpp.
std::vector<OpCase> all_op_cases();

}  // namespace statera
