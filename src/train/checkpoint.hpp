// The state of a run in one file, OUT/checkpoint/state.safetensors: weights, the optimizer's means, carried states; and
// as metadata the config, the options and where the run stands. Batches and initial weights are functions of (seed,
// number), so that is all.
#pragma once
#include <limits>
#include <string>

#include "core/fields.hpp"
#include "io/output_folder.hpp"
#include "statera/model.hpp"
#include "statera/train.hpp"

namespace statera {

struct RunState {
  int64_t step = 0;
  double loss = 0, seconds = 0;
  double best = std::numeric_limits<double>::infinity();  // bits per byte
  int64_t best_step = 0;
  std::string best_weights;   // Model::fingerprint of the weights of that step, hexadecimal; empty: not known, in older
                              // checkpoints
  int64_t metrics_bytes = 0;  // of metrics.jsonl; what stands behind is from after the checkpoint
  std::string data;           // fingerprint, hexadecimal
  int64_t cut_bytes = 0;      // TrainingData; 0 in older checkpoints
  void visit(FieldVisitor&);
};

OutputFiles run_files();  // all that a run writes into its folder
// The folder of a run, held. Throws io if it is not free, or holds a model that the run may neither go on from nor
// replace.
OutputFolder claim_folder(const TrainRun& run);
// train() in a folder that is held already, run.out; with one that was taken before the data were read, nobody else's
// model gets lost.
TrainResult train(Model&, const TrainingData&, const TrainOptions&, const TrainRun&, OutputFolder&);
// Takes the files of a run away, and folders that are empty then; what else stands there stays. Throws io.
void remove_run(const std::string& out);

inline constexpr const char* checkpoint_name = "checkpoint/state.safetensors";  // in the folder of the run
std::string checkpoint_path(const std::string& out);
// written once to see how long a save takes, and removed
inline constexpr const char* trial_save_name = "checkpoint/trial.safetensors";
bool has_checkpoint(const std::string& out);

void save_checkpoint(OutputFolder&, const Model&, const AdamW&, const CarriedState&, const TrainOptions&,
                     const RunState&);

// Takes the options left open from the checkpoint; throws config if another one, the model's config or the data differ,
// and io if the file is damaged: every byte is checked, and every value is one that a run can have. Checkpoints from
// before there was a checksum go on.
RunState load_checkpoint(const std::string& out, const Model&, AdamW&, CarriedState&, TrainOptions&,
                         uint64_t fingerprint);

// Bytes that a checkpoint will have.
double checkpoint_bytes(const Model&);

// Throws io if the best weights of a run that goes on are gone: its checkpoint has others, of a later step.
void require_best(const std::string& out, const RunState&);
// The best weights of the run from its folder into `model`. Throws io if they are not there or are others.
void load_best(const std::string& out, const Model& model, const RunState&);

}  // namespace statera
