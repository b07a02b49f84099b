// What a model costs on the held-out text.
#pragma once
#include "statera/train.hpp"

namespace statera {

struct HeldOut {
  double bits_per_byte = 0;  // of the bytes that the targets stand for
  int64_t positions = 0;     // counted targets
};

// Batches spread evenly over the text, each the middle of its stretch, all if they are no more than about `bytes`: the
// same ones in every call. Resets the tape.
HeldOut measure_held_out(Tape& tape, const Model& model, const TrainingData& data, const TrainOptions& options,
                         int64_t bytes);

// How many batches that reads.
int64_t held_out_batches(const TrainingData& data, const TrainOptions& options, int64_t bytes);

}  // namespace statera
