// train(): from batches to a trained model in a folder, with checkpoints from which a killed run resumes.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "statera/model.hpp"
#include "statera/optimizer.hpp"

namespace statera {

// The options that, with the model and the data, determine every bit of the weights. An option left at 0 where "0: ..."
// is said below is chosen before the first step and stored in the checkpoint, so that a resumed run does not choose
// again.
struct TrainOptions {
  int64_t steps = 0;  // 0: as many as the budget allows
  double budget = 0;  // seconds for the whole run, with evaluation and checkpoints
  int64_t batch = 8, length = 256;
  int64_t accumulate = 1;  // batches per step of the optimizer
  float lr = 2e-3f;
  std::string schedule = "cosine";  // "cosine" or "wsd" (optimizer.hpp)
  int64_t warmup = 0;               // steps; 0: 5 % of the steps, at most 200
  int64_t decay = 0;                // last steps of wsd; 0: 20 % of the steps
  float weight_decay = 0.1f, clip = 1.0f;
  float dropout = 0;   // dropout probability, of the embedding and of what each sublayer adds
  int64_t seed = 0;    // of the run's random numbers; the caller initialises the model
  bool carry = false;  // whether a batch starts from the states at which the last one ended
  bool checkpoint_activations = false;
  // Of matrix products in forward and backward: "fp32", "bf16" (device.hpp), or "auto": bf16 if it is measured to be at
  // least 5 % faster.
  std::string precision = "fp32";
  int64_t evaluate_every = 0;  // steps between evaluations; 0: twenty evaluations in the run
  // Bytes of held-out text per evaluation, spread over all of it. 0: at most 64 KiB, and a tenth of the time in all.
  int64_t evaluate_bytes = 0;
  // bytes of held-out text for the final evaluation; 0: 1 MiB, or what fits into a sixth of the budget
  int64_t final_bytes = 0;
  void visit(FieldVisitor&);
};

// Where batches come from. A number stands for the same batch in every run. A batch is valid until the next call.
// train() calls from its own thread only.
struct TrainingData {
  // Batch i, for any i >= 0. With `carry`, lane b has the rows [b * length, (b + 1) * length).
  std::function<Batch(int64_t)> batch;
  // Batch i of the held-out text, 0 <= i < held_out_batches, in the order of the text; about batch * length positions
  // each.
  std::function<Batch(int64_t)> held_out;
  int64_t held_out_batches = 0;
  uint64_t fingerprint = 0;       // of the data; resuming with other data is refused
  double bytes_per_position = 1;  // on average, where a position predicts a token; for amounts and speeds
  // ByteSource::bytes() of a source that was cut (ByteSource::cut), stored for a resumed run to read as much; 0: not
  // cut
  int64_t cut_bytes = 0;
};

struct TrainProgress {
  int64_t step = 0, steps = 0;
  double loss = 0, lr = 0, gradient_norm = 0;                  // of the last step; the loss in nats
  double bits_per_byte = 0;                                    // of the last step
  double held_out = std::numeric_limits<double>::quiet_NaN();  // bits per byte; NaN unless measured after this step
  double bytes_per_second = 0, seconds = 0, seconds_left = 0;
  double auxiliary = 0;          // the sum of the auxiliary losses of the last step, which is added to the loss
  std::vector<InnerRows> inner;  // what each inner stack read in the last step
  int64_t positions = 0;         // positions of the last step
  int64_t bytes = 0;             // that its targets stand for
};

// Options that do not change the weights.
struct TrainRun {
  // The folder to write: config.json and model.safetensors (the best model), last/, checkpoint/, metrics.jsonl. Files
  // of others in it are never replaced (ErrorCode::io).
  std::string out;
  bool resume = false;  // continue from the checkpoint in `out`; if there is none, start from the beginning
  // Whether to replace an earlier model in `out`, once all options have been checked. If false, throws ErrorCode::io
  // for a model that `resume` does not continue.
  bool overwrite = false;
  // Seconds of the budget that other work takes, such as reading the data before and baselines after.
  double elsewhere = 0;
  // Whether to time the first steps and say how long the run will take. If false, steps, evaluate_bytes and final_bytes
  // must be given.
  bool forecast = true;
  // Seconds between checkpoints; 0: 2, or 30 in runs of more than ten minutes, or 30 times as long as a save takes.
  double checkpoint_seconds = 0;
  std::function<bool()> stop;  // called after each step; true: save and return
  // Called before each batch of the measurements before the first step and after the last one. True: return.
  std::function<bool()> abandon;
  std::function<void(const TrainProgress&)> progress;  // called after each step
  // receives lines of text: the forecast, the step from which a run resumes
  std::function<void(const std::string&)> note;
};

struct TrainingLoss {
  double loss = 0;  // the cross entropy of the batch in nats, as divided by the denominator
  // the sum of the model's auxiliary losses (such as the load balance of experts), which is added to it
  double auxiliary = 0;
};

// Runs forward, loss and backward for one batch. Resets the tape first, and adds the gradients to those of the
// parameters.
//
// `denominator` is the number of counted targets in all batches of the step, so that the accumulated gradients equal
// those of one large batch; 0: this batch is the whole step. An auxiliary loss is a mean over its batch and is weighted
// with the batch's share of the targets.
//
// If the loss is not finite, throws ErrorCode::numeric, which names the first operation with a value that is not
// finite, and leaves the gradients as they were.
TrainingLoss training_pass(const Model&, Tape&, const Tokens&, std::span<const int32_t> targets,
                           const ForwardOptions& = {}, int64_t denominator = 0);

struct TrainResult {
  TrainOptions options;  // with all choices made
  int64_t step = 0, best_step = 0;
  // False: the run was stopped. Its work is saved, except that nothing is written if it was stopped before the first
  // step, and the final evaluation is missing if it was stopped during that.
  bool finished = false;
  double loss = 0;                                             // of the last step, in nats
  double held_out = std::numeric_limits<double>::quiet_NaN();  // bits per byte of the best weights; NaN unless finished
  int64_t held_out_positions = 0, held_out_bytes = 0;          // that the final evaluation counted
  double seconds = 0;                                          // of the whole run, resumed parts included
};

// Trains `model` (made with ModelOptions::training; initialised or loaded), and leaves the best weights in it and in
// `out`. Uses the threads of the model's Device. Nothing else may use the model meanwhile.
//
// Throws ErrorCode::config for invalid options and for a checkpoint of another run; ErrorCode::io if a file cannot be
// written (the last good checkpoint stays); ErrorCode::numeric, naming layer and operation, at the first value that is
// not finite; ErrorCode::device if memory does not suffice.
TrainResult train(Model& model, const TrainingData& data, const TrainOptions& options, const TrainRun& run);

struct SavedRun {
  TrainOptions options;
  std::string config;     // as JSON
  int64_t cut_bytes = 0;  // see TrainingData
  std::string tokenizer;  // the tokenizer.json of a model over tokens; empty: none
};

// What the checkpoint in `out` says about its run; empty if there is none. Throws ErrorCode::io if it is damaged.
std::optional<SavedRun> saved_run(const std::string& out);

}  // namespace statera
