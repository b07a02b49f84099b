// One training with a fixed number of steps, in a folder of its own. A trial that was cut goes on bit for bit.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "statera/model.hpp"
#include "statera/train.hpp"

namespace statera {

struct Trial {
  std::string folder;
  TrainOptions options;
  std::function<bool()> stop;
  std::function<void(const TrainProgress&)> progress;
};

// {"lr", "steps", "bits_per_byte" of the best step, on validation text, "best_step", "curve": [{"step",
// "bits_per_byte"}]}; with "error" in place of the figures if the training met a value that is not finite. Nothing if
// it was stopped. `model` has the best weights then.
std::optional<nlohmann::ordered_json> run_trial(Model& model, const TrainingData& data, const Trial& trial);

}  // namespace statera
