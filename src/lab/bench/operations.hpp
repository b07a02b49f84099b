// Benchmarks of every operation at its published shapes (all_op_cases): time, rates, and the share of the roof.
#pragma once
#include <vector>

#include "statera/fields.hpp"
#include "lab/timing.hpp"
#include "statera/device.hpp"

namespace statera {

struct OperationCost {
  std::string op, name, pass;  // pass: forward, backward or step
  int64_t threads = 0, runs = 0;
  double seconds = 0, spread_seconds = 0, gflops = 0, gb_per_s = 0, roof_share = 0;
  std::string bound;

  void visit(FieldVisitor& v) {
    v.field("op", op, "name of the operation");
    v.field("name", name, "name of the shape");
    v.field("pass", pass, "forward, backward or step");
    v.field("threads", threads, "number of threads");
    v.field("runs", runs, "number of timed runs");
    v.field("seconds", seconds, "median time");
    v.field("spread_seconds", spread_seconds, "interquartile range of the times");
    v.field("gflops", gflops, "GFLOP/s by minimal FLOPs; 0: not counted, the operation moves memory");
    v.field("gb_per_s", gb_per_s, "GB/s by minimal traffic: each input read and each output written once");
    v.field("roof_share", roof_share, "the least time that the roof allows, divided by the median time");
    v.field("bound", bound, "what bounds the least time: arithmetic or traffic");
  }
};

// Measures on each device: forward and backward of the cases for training, and one inference call of the cases for a
// step. Up to five rounds go over all cases, as many as there is time for. The roof of traffic is the fastest measured
// read of a buffer of equal size.
std::vector<OperationCost> measure_operations(const std::vector<Device>& devices, BenchTerms& terms);

}  // namespace statera
