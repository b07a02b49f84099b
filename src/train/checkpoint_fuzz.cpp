// Any bytes as a checkpoint: an Error of one line, or a run that takes its next step and can be saved again.
#include "train/checkpoint_fuzz.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "io/folder_fuzz.hpp"
#include "statera/error.hpp"
#include "statera/train.hpp"
#include "train/checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace statera;
  static const std::string out = [] {
    const std::string folder = fuzz_folder();
    std::filesystem::create_directory(folder + "/checkpoint");
    return folder;
  }();
  static OutputFolder folder(out, run_files());
  static const Model model = checkpoint_fuzz_model();
  static const TrainingData lanes = checkpoint_fuzz_data();
  std::FILE* file = std::fopen(checkpoint_path(out).c_str(), "wb");
  if (!file || std::fwrite(data, 1, size, file) != size || std::fclose(file) != 0) std::abort();
  try {
    AdamW optimizer(model.parameters(), {}, model.device());
    CarriedState carried;
    TrainOptions options = checkpoint_fuzz_options();
    const RunState run = load_checkpoint(out, model, optimizer, carried, options, lanes.fingerprint);
    const Batch batch = lanes.batch(run.step);
    Tape tape(model.device());
    training_pass(model, tape, batch.inputs, batch.targets, {.initial = &carried, .last = &carried});
    optimizer.step();
    save_checkpoint(folder, model, optimizer, carried, options, run);
    TrainOptions again = options;
    if (load_checkpoint(out, model, optimizer, carried, again, lanes.fingerprint).step != run.step) std::abort();
  } catch (const Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
