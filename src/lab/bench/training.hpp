// Benchmarks of training steps, optimizer included: positions per second, share of the FMA peak and memory; and of the
// start of a process.
#pragma once
#include <string>
#include <vector>

#include "statera/fields.hpp"
#include "lab/timing.hpp"
#include "statera/device.hpp"

namespace statera {

struct TrainingPlan {
  std::vector<std::string> models;  // presets or config files
  std::vector<int64_t> lengths;     // positions per sequence
  std::vector<int64_t> batches;     // sequences per step; empty: as many as make 2,048 positions, at least one
  std::vector<Device> devices;      // one per number of threads and precision to measure
  bool checkpoint = false;  // activation checkpointing: keep only the inputs of blocks, recompute the rest in backward
};

struct TrainingCost {
  std::string model, precision;
  int64_t threads = 0, parameters = 0, batch = 0, length = 0, runs = 0;
  bool checkpoint = false;
  double step_seconds = 0, spread_seconds = 0, positions_per_s = 0, fma_share = 0, peak_bytes = 0, tape_bytes = 0;

  void visit(FieldVisitor& v) {
    v.field("model", model, "preset or config file");
    v.field("precision", precision, "precision of matrix products");
    v.field("parameters", parameters, "number of parameters");
    v.field("threads", threads, "number of threads");
    v.field("batch", batch, "sequences per step");
    v.field("length", length, "positions per sequence");
    v.field("checkpoint", checkpoint, "activation checkpointing");
    v.field("runs", runs, "number of timed steps");
    v.field("step_seconds", step_seconds, "median time of a step");
    v.field("spread_seconds", spread_seconds, "interquartile range of the times of a step");
    v.field("positions_per_s", positions_per_s, "positions per second at the median");
    v.field("fma_share", fma_share,
            "minimal FLOPs (without recomputation) divided by the fp32 peak measured in the same seconds");
    v.field("peak_bytes", peak_bytes,
            "peak memory of the process minus what it had before the model was made; 0: unknown");
    v.field("tape_bytes", tape_bytes, "peak memory of activations and their gradients");
  }
};

// Trains on random bytes. A visit to a case is one step that is not timed (skipped if there is a time limit and a step
// takes more than 20 seconds), then timed steps for about a second. There are three rounds over all cases, short
// lengths first; the second and third skip cases that would use up more than a tenth of the time left. Cases that need
// more memory than is free are left out.
std::vector<TrainingCost> measure_training(const TrainingPlan& plan, BenchTerms& terms);

struct StartCost {
  std::string model;
  int64_t threads = 0, batch = 0, length = 0;
  double first_step_seconds = 0, tenth_step_seconds = 0, extra_seconds = 0;

  void visit(FieldVisitor& v) {
    v.field("model", model, "preset or config file");
    v.field("threads", threads, "number of threads");
    v.field("batch", batch, "sequences per step");
    v.field("length", length, "positions per sequence");
    v.field("first_step_seconds", first_step_seconds,
            "time from the start of the process to the end of the first gradient step");
    v.field("tenth_step_seconds", tenth_step_seconds, "time of the tenth step alone");
    v.field("extra_seconds", extra_seconds, "first_step_seconds minus tenth_step_seconds");
  }
};

// Makes ten steps. The result is meaningful only if nothing else was measured before in this process.
StartCost measure_start(const std::string& model, int64_t batch, int64_t length, const Device& device);

}  // namespace statera
