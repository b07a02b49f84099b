#include "lab/compare/trial.hpp"

#include <algorithm>
#include <fstream>
#include <utility>
#include <vector>

#include "lab/report/keys.hpp"
#include "core/check.hpp"
#include "io/json.hpp"
#include "statera/error.hpp"
#include "text/number.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

// Writes 0.007, not 0.0070000002160668373.
double decimal(float value) { return rounded(static_cast<double>(value), 6); }

struct Rows {
  double read = 0, of = 0;
};

void add_rows(const Json& line, std::vector<Rows>& all) {
  const auto inner = line.find("inner");
  if (inner == line.end()) return;
  all.resize(std::max(all.size(), inner->size()));
  for (size_t i = 0; i < inner->size(); ++i) {
    const double read = inner->at(i).at("positions");
    all[i].read += read;
    all[i].of += read * inner->at(i).at("ratio").get<double>();
  }
}
}  // namespace

Json curve_of(const std::string& path) {
  Json curve = Json::array();
  std::ifstream file(path);
  std::vector<Rows> rows;
  for (std::string line; std::getline(file, line);) {
    const Json point = parse_ordered_json(line, path);
    add_rows(point, rows);
    const auto step = point.find("step"), held_out = point.find("held_out");
    if (held_out == point.end()) continue;
    require(step != point.end() && step->is_number() && held_out->is_number(), ErrorCode::io, path,
            ": a line is not as training writes it; remove the folder that it is in, then compare again");
    curve.push_back({{key::step, *step}, {key::bits_per_byte, *held_out}});
    for (const Rows& one : std::exchange(rows, {}))
      if (one.read > 0) curve.back()["ratios"].push_back(rounded(one.of / one.read, 6));
  }
  require(file.eof() && !curve.empty(), ErrorCode::io, path,
          ": cannot be read, or has no measurement; remove the folder that it is in, then compare again");
  return curve;
}

std::optional<Json> run_trial(Model& model, const TrainingData& data, const Trial& trial) {
  Json value = {{key::lr, decimal(trial.options.lr)}, {key::steps, trial.options.steps}};
  try {
    const TrainResult result = train(model, data, trial.options,
                                     {.out = trial.folder,
                                      .resume = true,
                                      .forecast = false,
                                      .stop = trial.stop,
                                      .abandon = trial.stop,
                                      .progress = trial.progress,
                                      .note = {}});
    if (!result.finished) return std::nullopt;
    value["best_step"] = result.best_step;
    value[key::bits_per_byte] = result.held_out;
    value[key::curve] = curve_of(trial.folder + "/metrics.jsonl");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::numeric) throw;
    value[key::error] = error.what();
  }
  return value;
}

}  // namespace statera
