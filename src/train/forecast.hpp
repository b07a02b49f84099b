// Measures, before the first step, what a run will cost, and how many steps fit into a budget of time.
#pragma once
#include <string>

#include "io/output_folder.hpp"
#include "statera/train.hpp"

namespace statera {

struct Forecast {
  double bytes = 0;             // memory of the run
  double step_seconds = 0;      // per step of the optimizer, with all its batches
  double held_out_seconds = 0;  // per evaluation during training
  double final_seconds = 0;     // of the final evaluation
  double checkpoint_seconds = 0;
};

// Checks that a batch is affordable before the first one runs, and returns the memory of the run in bytes. If a batch
// would take a large part of the budget, it times first one window, then 2, 4 and so on, so that a batch that does not
// fit is refused early. Throws ErrorCode::device if memory does not suffice, ErrorCode::config if the budget minus
// `elsewhere` (TrainRun::elsewhere) does not allow one step and its evaluations.
double first_batch(const Model&, Tape&, const TrainingData&, const TrainOptions&, double elsewhere);

// Runs a few batches and, if there is a budget, one step of the optimizer and one save into the folder. It undoes their
// effects, so the bits of the run do not depend on it. `bytes` is the result of first_batch(). Throws what that throws.
Forecast measure(Model&, AdamW&, Tape&, const TrainingData&, const TrainOptions&, OutputFolder&, double bytes,
                 double elsewhere);

// How many times faster a batch is with bf16 products than with fp32. Runs a few of each in turn, for 2 seconds or 2 %
// of the budget, at least one of each. Leaves gradients behind. Call first_batch() before.
double bf16_gain(const Model&, Tape&, const TrainingData&, const TrainOptions&);

// Memory of a run with these data: weights, gradients, the optimizer's means, and what a batch leaves on the tape. Runs
// one window to find out.
double training_bytes(const Model&, const TrainingData&, const TrainOptions&);
// The same. Throws ErrorCode::device if a batch needs more memory than is free.
double check_memory(const Model&, const TrainingData&, const TrainOptions&);

// Makes the choices that options leave open. `spent`: seconds since the run began. `elsewhere`: TrainRun::elsewhere.
void choose(TrainOptions& options, Forecast& forecast, const TrainingData& data, double spent, double elsewhere = 0);

double checkpoint_interval(const TrainRun& run, const TrainOptions& options, const Forecast& forecast);
double expected_seconds(const TrainOptions& options, const Forecast& forecast, int64_t steps);

}  // namespace statera
