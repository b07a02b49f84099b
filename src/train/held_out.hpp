// Evaluates a model on the held-out text.
#pragma once
#include "statera/train.hpp"

namespace statera {

struct HeldOut {
  double bits_per_byte = 0;  // over the bytes that the targets stand for
  int64_t positions = 0;     // number of counted targets
  int64_t bytes = 0;         // that they stand for
};

// Evaluates batches that are spread evenly over the text, each from the middle of its stretch, the same ones in every
// call; all batches if they have no more than about `bytes`. Resets the tape.
HeldOut measure_held_out(Tape& tape, const Model& model, const TrainingData& data, const TrainOptions& options,
                         int64_t bytes);

// The number of batches that measure_held_out() reads.
int64_t held_out_batches(const TrainingData& data, const TrainOptions& options, int64_t bytes);

}  // namespace statera
