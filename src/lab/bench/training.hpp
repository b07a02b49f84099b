// Training steps, optimizer included: positions a second, share of the FMA peak, memory; and what the start of a
// process costs.
#pragma once
#include <string>
#include <vector>

#include "core/fields.hpp"
#include "lab/timing.hpp"
#include "statera/device.hpp"

namespace statera {

struct TrainingPlan {
  std::vector<std::string> models;  // presets, or files of configs
  std::vector<int64_t> lengths;     // positions of a sequence
  std::vector<int64_t> batches;     // sequences of a step; none: as many as make 2,048 positions, at least one
  std::vector<Device> devices;      // each number of threads, each precision
  bool checkpoint = false;          // keep only the borders of blocks, recompute in backward
};

struct TrainingCost {
  std::string model, precision;
  int64_t threads = 0, parameters = 0, batch = 0, length = 0, runs = 0;
  bool checkpoint = false;
  double step_seconds = 0, spread_seconds = 0, positions_per_s = 0, fma_share = 0, peak_bytes = 0, tape_bytes = 0;

  void visit(FieldVisitor& v) {
    v.field("model", model, "preset or file");
    v.field("precision", precision, "of matrix products");
    v.field("parameters", parameters, "numbers trained");
    v.field("threads", threads, "at once");
    v.field("batch", batch, "sequences of a step");
    v.field("length", length, "positions of a sequence");
    v.field("checkpoint", checkpoint, "activation checkpointing");
    v.field("runs", runs, "steps timed");
    v.field("step_seconds", step_seconds, "median");
    v.field("spread_seconds", spread_seconds, "distance of the quartiles");
    v.field("positions_per_s", positions_per_s, "at the median");
    v.field("fma_share", fma_share,
            "minimal FLOPs, those of a recomputation not counted, over the fp32 peak measured in the same seconds");
    v.field("peak_bytes", peak_bytes,
            "of the process, over what it had before the model was made; 0: the system does not say");
    v.field("tape_bytes", tape_bytes, "of activations and their gradients, at most");
  }
};

// Random bytes. A visit of a case is a step that is not timed (but where there is a limit of time and a step takes more
// than 20 seconds), then timed ones for about a second. Three rounds go over all cases, short lengths first, the second
// and third only over those that use up no more than a tenth of the time left. What would need more memory than is free
// is left out.
std::vector<TrainingCost> measure_training(const TrainingPlan& plan, BenchTerms& terms);

struct StartCost {
  std::string model;
  int64_t threads = 0, batch = 0, length = 0;
  double first_step_seconds = 0, tenth_step_seconds = 0, extra_seconds = 0;

  void visit(FieldVisitor& v) {
    v.field("model", model, "preset or file");
    v.field("threads", threads, "at once");
    v.field("batch", batch, "sequences of a step");
    v.field("length", length, "positions of a sequence");
    v.field("first_step_seconds", first_step_seconds,
            "from the start of the process to the end of the first gradient step");
    v.field("tenth_step_seconds", tenth_step_seconds, "of the tenth step alone");
    v.field("extra_seconds", extra_seconds, "their difference");
  }
};

// Ten steps. Means what it says only when nothing else was measured before in this process.
StartCost measure_start(const std::string& model, int64_t batch, int64_t length, const Device& device);

}  // namespace statera
