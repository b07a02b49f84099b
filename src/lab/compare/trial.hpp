// One training with a fixed number of steps, in a folder of its own. A trial that was cut resumes bit for bit.
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

// Returns {"lr", "steps", "bits_per_byte" of the best step on validation text, "best_step", "curve": [{"step",
// "bits_per_byte"}]}. If the training met a value that is not finite, "error" stands in place of the results. Empty if
// it was stopped. Leaves the best weights in `model`.
std::optional<nlohmann::ordered_json> run_trial(Model& model, const TrainingData& data, const Trial& trial);

}  // namespace statera
