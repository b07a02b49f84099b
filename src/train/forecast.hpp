// What a run will cost, measured before its first step; and how many steps a budget of time buys.
#pragma once
#include <string>

#include "io/output_folder.hpp"
#include "statera/train.hpp"

namespace statera {

struct Forecast {
  double bytes = 0;             // memory
  double step_seconds = 0;      // of the optimizer, all its batches
  double held_out_seconds = 0;  // of one measurement while training
  double final_seconds = 0;     // of the last one
  double checkpoint_seconds = 0;
};

// What a batch needs, before the first one runs: bytes of memory for the run. Where a batch would take a good part of
// the budget, more and more of its windows are timed, so that one that does not fit is refused early. Throws device if
// the memory does not suffice, config if the budget, less what goes `elsewhere` of it, does not hold a step and its
// measurements.
double first_batch(const Model&, Tape&, const TrainingData&, const TrainOptions&, double elsewhere);

// Runs a few batches, and with a budget one step of the optimizer and one save into the folder, and undoes what they
// changed: the bits of the run do not depend on it. `bytes`: what first_batch() said. Throws what that throws.
Forecast measure(Model&, AdamW&, Tape&, const TrainingData&, const TrainOptions&, OutputFolder&, double bytes,
                 double elsewhere);

// How many times as fast a batch is with bf16 products as with fp32, by a few of each in turn, in 2 seconds or a
// fiftieth of the budget, but at least one of each. Leaves gradients behind. For batches that first_batch() has let
// pass.
double bf16_gain(const Model&, Tape&, const TrainingData&, const TrainOptions&);

// Memory of a run with these data: weights, gradients, the optimizer's means, and what a batch leaves on the tape. Runs
// one window.
double training_bytes(const Model&, const TrainingData&, const TrainOptions&);
// The same; throws device if a batch needs more than is free.
double check_memory(const Model&, const TrainingData&, const TrainOptions&);

// Makes the choices that options leave open. `spent`: seconds since the run began; `elsewhere`: of the budget that are
// not for the run (TrainRun). Throws config.
void choose(TrainOptions& options, Forecast& forecast, const TrainingData& data, double spent, double elsewhere = 0);

double checkpoint_interval(const TrainRun& run, const TrainOptions& options, const Forecast& forecast);
double expected_seconds(const TrainOptions& options, const Forecast& forecast, int64_t steps);

}  // namespace statera
