// Benchmarks of inference: prefill and step by batch and context, the memory of states, how close steps come to the
// speed of memory, and long streams of steps.
#pragma once
#include <string>
#include <vector>

#include "statera/fields.hpp"
#include "lab/timing.hpp"
#include "statera/device.hpp"
#include "statera/dtype.hpp"

namespace statera {

struct InferencePlan {
  std::vector<std::string> models;  // presets or config files
  // contexts: positions that each sequence has read when a call ends. batches: sequences per call.
  std::vector<int64_t> contexts, batches;
  std::vector<Device> devices;        // one per number of threads to measure
  std::vector<WeightFormat> weights;  // formats of the matrices of the layers
};

struct InferenceCost {
  std::string model, weights;
  int64_t threads = 0, parameters = 0, batch = 0, context = 0, slice = 0, runs = 0;
  double step_seconds = 0, spread_seconds = 0, step_positions_per_s = 0, prefill_positions_per_s = 0, state_bytes = 0,
         step_bytes = 0, read_share = 0;

  void visit(FieldVisitor& v) {
    v.field("model", model, "preset or config file");
    v.field("weights", weights, "format of the matrices of the layers");
    v.field("parameters", parameters, "number of parameters");
    v.field("threads", threads, "number of threads");
    v.field("batch", batch, "sequences per call");
    v.field("context", context, "positions that each sequence has read when a call ends");
    v.field("slice", slice, "positions per sequence that a prefill reads");
    v.field("runs", runs, "number of timed steps");
    v.field("step_seconds", step_seconds, "median time of a step of all sequences");
    v.field("spread_seconds", spread_seconds, "interquartile range of the times of a step");
    v.field("step_positions_per_s", step_positions_per_s, "positions per second of all sequences together, by steps");
    v.field("prefill_positions_per_s", prefill_positions_per_s,
            "positions per second of all sequences together, by prefill at the end of the context; 0: left out");
    v.field("state_bytes", state_bytes, "memory of the states of all sequences");
    v.field("step_bytes", step_bytes,
            "bytes that a step must touch: weights and states once, fixed states also written");
    v.field("read_share", read_share,
            "time of the best measured read of a buffer of equal size (at most 1 GiB), divided by the time of a step");
  }
};

// The states are put at their positions without reading a text; their zeros take as long to process as real values.
// Left out are contexts whose states need more than half of the free memory, and prefills that would take more than
// four seconds. There are three rounds over all cases; the second and third skip cases that would use up more than a
// tenth of the time left.
std::vector<InferenceCost> measure_inference(const InferencePlan& plan, BenchTerms& terms);

struct StreamCost {
  std::string model;
  int64_t threads = 0, position = 0;
  double step_seconds = 0, state_bytes = 0, resident_bytes = 0;

  void visit(FieldVisitor& v) {
    v.field("model", model, "preset or config file");
    v.field("threads", threads, "number of threads");
    v.field("position", position, "bytes read so far");
    v.field("step_seconds", step_seconds, "median time of a step of all sequences");
    v.field("state_bytes", state_bytes, "memory of the states of all sequences");
    v.field("resident_bytes", resident_bytes, "memory of the process");
  }
};

// Measures one stream, byte by byte, after 100, 1,000, ... bytes and at the end.
std::vector<StreamCost> measure_stream(const std::string& model, int64_t bytes, const Device& device);

}  // namespace statera
