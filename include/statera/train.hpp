// train: from batches to a trained model in a folder, with checkpoints that a killed run goes on from.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>

#include "statera/model.hpp"
#include "statera/optimizer.hpp"

namespace statera {

// Decides, with the model and the data, every bit of the weights. What is left at "0: ..." is chosen before the first
// step, kept in the checkpoint and not chosen again.
struct TrainOptions {
  int64_t steps = 0;  // 0: as many as fit into the budget
  double budget = 0;  // seconds for everything, evaluation and checkpoints too
  int64_t batch = 8, length = 256;
  int64_t accumulate = 1;  // batches to one step of the optimizer
  float lr = 2e-3f;
  std::string schedule = "cosine";  // or "wsd"
  int64_t warmup = 0;               // steps; 0: 5 %, at most 200
  int64_t decay = 0;                // last steps of wsd; 0: 20 %
  float weight_decay = 0.1f, clip = 1.0f;
  float dropout = 0;   // the share of the embedding and of what each half of a block adds that is zeroed in training
  int64_t seed = 0;    // of the run; the caller has initialised the model
  bool carry = false;  // start each batch from the states at which the last one ended
  bool checkpoint_activations = false;
  std::string precision = "fp32";  // or "bf16": of matrix products in forward and backward (device.hpp); "auto": bf16
                                   // if it is measured to be faster by 5 %
  int64_t evaluate_every = 0;      // steps; 0: twenty times in the run
  // of the held-out text, spread over it, while training; 0: at most 64 KiB, and a tenth of the time
  int64_t evaluate_bytes = 0;
  int64_t final_bytes = 0;  // in the end; 0: 1 MiB, or what a sixth of the budget allows
  void visit(FieldVisitor&);
};

// Where batches come from. The same number gives the same batch in any run; a batch lives until the next call.
struct TrainingData {
  std::function<Batch(int64_t)>
      batch;  // from 0 on without end; with `carry`, lane b is the rows [b * length, (b + 1) * length)
  // 0 <= i < held_out_batches, in order of place, about batch * length positions each
  std::function<Batch(int64_t)> held_out;
  int64_t held_out_batches = 0;
  uint64_t fingerprint = 0;  // of the data: a checkpoint of other data is refused
  int64_t cut_bytes = 0;  // of a source that was cut (ByteSource::cut), for who reads it again to go on; 0: it is whole
};

struct TrainProgress {
  int64_t step = 0, steps = 0;
  double loss = 0, lr = 0, gradient_norm = 0;                  // of the last step, in nats
  double bits_per_byte = 0;                                    // of the last step
  double held_out = std::numeric_limits<double>::quiet_NaN();  // bits per byte, if it was measured after this step
  double bytes_per_second = 0, seconds = 0, seconds_left = 0;
};

// What decides no bit.
struct TrainRun {
  std::string out;      // folder: config.json and model.safetensors (best), last/, checkpoint/, metrics.jsonl; others'
                        // files stay (io)
  bool resume = false;  // go on from out/checkpoint; without one, start afresh
  bool overwrite = false;  // replace an earlier model, once all is checked. false: a model that resume does not go on
                           // from is kept (io)
  // seconds of the budget that went or will go into other work: reading the data before, baselines after
  double elsewhere = 0;
  // false: nothing is measured before the first step; needs steps, evaluate_bytes and final_bytes
  bool forecast = true;
  double checkpoint_seconds = 0;  // 0: 2, or 30 in runs of more than ten minutes
  std::function<bool()> stop;     // asked after each step: true saves and returns
  // asked before each batch of what is measured before the first step and behind the last one: true returns
  std::function<bool()> abandon;
  std::function<void(const TrainProgress&)> progress;  // after each step
  std::function<void(const std::string&)> note;        // a line: the forecast, where a run goes on
};

struct TrainingLoss {
  double loss = 0;       // nats of the targets, divided by the denominator
  double auxiliary = 0;  // what the model's own losses add to it (the balance of experts)
};

// One batch of a training step: forward, loss and backward. Resets the tape first; gradients are added to those of the
// parameters. `denominator`: the counted targets of all batches of the step, so that their gradients are those of one
// large batch; 0: this batch is the step. Auxiliary losses, each a mean over its batch, get the batch's share of the
// targets. Throws numeric and names the first operation whose value is not finite; gradients are as before then.
TrainingLoss training_pass(const Model&, Tape&, const Tokens&, std::span<const int32_t> targets,
                           const ForwardOptions& = {}, int64_t denominator = 0);

struct TrainResult {
  TrainOptions options;  // with all choices made
  int64_t step = 0, best_step = 0;
  bool finished = false;  // false: stopped, and saved: before the first step nothing, behind the last one all but the
                          // last measurement
  double loss = 0;        // of the last step, nats
  double held_out = std::numeric_limits<double>::quiet_NaN();  // bits per byte of the best weights; NaN unless finished
  int64_t held_out_positions = 0;
  double seconds = 0;  // of all sessions of the run
};

// Leaves the best weights in `model` and in `out` when it finishes. Throws config for impossible options and for a
// checkpoint of another run; io if a file cannot be written (the last good checkpoint stays); numeric, naming layer and
// operation, at the first value that is not finite; device if the memory does not suffice. The model is for training
// (ModelOptions), initialised or loaded.
TrainResult train(Model& model, const TrainingData& data, const TrainOptions& options, const TrainRun& run);

struct SavedRun {
  TrainOptions options;
  std::string config;     // JSON
  int64_t cut_bytes = 0;  // TrainingData
};

// What the checkpoint in `out` says of its run; nothing if there is none. Throws io if it is damaged.
std::optional<SavedRun> saved_run(const std::string& out);

}  // namespace statera
