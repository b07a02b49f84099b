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

// The points of a metrics.jsonl that were measured on validation text: [{"step", "bits_per_byte", "ratios"}]. "ratios",
// of models with inner stacks: positions that each of them was given per position that it read, in the steps since the
// point before. Throws ErrorCode::io.
nlohmann::ordered_json curve_of(const std::string& path);

// Returns {"lr", "steps", "bits_per_byte" of the best step on validation text, "best_step", "curve": what curve_of()
// gives}. If the training met a value that is not finite, "error" stands in place of the results. Empty if
// it was stopped. Leaves the best weights in `model`.
std::optional<nlohmann::ordered_json> run_trial(Model& model, const TrainingData& data, const Trial& trial);

}  // namespace statera
