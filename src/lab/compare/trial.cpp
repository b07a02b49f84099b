#include "lab/compare/trial.hpp"

#include <fstream>

#include "io/json.hpp"
#include "statera/error.hpp"
#include "text/number.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

// 0.007, not 0.0070000002160668373.
double decimal(float value) { return rounded(static_cast<double>(value), 6); }

Json curve_of(const std::string& path) {
  Json curve = Json::array();
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const Json point = parse_ordered_json(line, path);
    if (point.contains("held_out")) curve.push_back({{"step", point.at("step")}, {"bits_per_byte", point.at("held_out")}});
  }
  return curve;
}
}  // namespace

std::optional<Json> run_trial(Model& model, const TrainingData& data, const Trial& trial) {
  Json value = {{"lr", decimal(trial.options.lr)}, {"steps", trial.options.steps}};
  try {
    const TrainResult result =
        train(model, data, trial.options, {.out = trial.folder, .resume = true, .forecast = false, .stop = trial.stop, .progress = trial.progress, .note = {}});
    if (!result.finished) return std::nullopt;
    value["best_step"] = result.best_step;
    value["bits_per_byte"] = result.held_out;
    value["curve"] = curve_of(trial.folder + "/metrics.jsonl");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::numeric) throw;
    value["error"] = error.what();
  }
  return value;
}

}  // namespace statera
