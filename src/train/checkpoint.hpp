// A checkpoint is one file, OUT/checkpoint/state.safetensors: the weights, the optimizer's means and carried states,
// and as metadata the config, the options and the progress of the run. Batches and initial weights are functions of
// (seed, number), so nothing else is needed.
#pragma once
#include <limits>
#include <string>

#include "statera/fields.hpp"
#include "io/output_folder.hpp"
#include "statera/model.hpp"
#include "statera/train.hpp"

namespace statera {

struct RunState {
  int64_t step = 0;
  double loss = 0, seconds = 0;
  double best = std::numeric_limits<double>::infinity();  // held-out bits per byte
  int64_t best_step = 0;
  // Model::fingerprint of the weights of that step, in hexadecimal; empty in older checkpoints.
  std::string best_weights;
  int64_t metrics_bytes = 0;  // length of metrics.jsonl; lines beyond it are newer than the checkpoint
  std::string data;           // fingerprint in hexadecimal
  int64_t cut_bytes = 0;      // see TrainingData; 0 in older checkpoints
  void visit(FieldVisitor&);
};

OutputFiles run_files();  // all that a run writes into its folder
// Locks the folder of a run. Throws ErrorCode::io if another writer has it, or if it holds a model that the run may
// neither continue nor replace.
OutputFolder claim_folder(const TrainRun& run);
// train() in the folder run.out, which the caller has locked already. A caller that locks it before it reads the data
// notices early that the folder is taken.
TrainResult train(Model&, const TrainingData&, const TrainOptions&, const TrainRun&, OutputFolder&);
// Removes the files of a run and folders that are then empty; all else stays. Throws ErrorCode::io.
void remove_run(const std::string& out);

inline constexpr const char* checkpoint_name = "checkpoint/state.safetensors";  // relative to the folder of the run
std::string checkpoint_path(const std::string& out);
// written once to measure how long saving takes, then removed
inline constexpr const char* trial_save_name = "checkpoint/trial.safetensors";
bool has_checkpoint(const std::string& out);

void save_checkpoint(OutputFolder&, const Model&, const AdamW&, const CarriedState&, const TrainOptions&,
                     const RunState&);

// Loads a checkpoint and takes the options that were left open from it. Throws ErrorCode::config if another option, the
// model's config or the data differ; ErrorCode::io if the file is damaged. Every byte is checked by a checksum (older
// checkpoints have none), and every value must be one that a run can have.
RunState load_checkpoint(const std::string& out, const Model&, AdamW&, CarriedState&, TrainOptions&,
                         uint64_t fingerprint);

// The size of a checkpoint file.
double checkpoint_bytes(const Model&);

// Throws ErrorCode::io if the best weights of a resumed run are missing; the checkpoint holds those of a later step.
void require_best(const std::string& out, const RunState&);
// Loads the best weights of the run into `model`. Throws ErrorCode::io if they are missing or differ from the recorded
// ones.
void load_best(const std::string& out, const Model& model, const RunState&);

}  // namespace statera
