#include "lab/compare/rate_priors.hpp"

#include <algorithm>
#include <cmath>

#include "core/check.hpp"
#include "statera/fields.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"

namespace statera {

namespace {
constexpr double unknown_octaves = 2;  // uncertainty for a mixer that no sweep has covered

struct Row {
  std::string command;  // the command that made the row
  double lr = 0, d_model = 0, steps = 0, positions = 0;
  double by_width = 0, by_steps = 0, by_positions = 0;
  double octaves = 0, drift = 0;
  double seed_deviation = 0;
  void visit(FieldVisitor& v) {
    v.field("command", command, "that fitted this row");
    v.field("lr", lr, "best learning rate where the row was measured");
    v.field("d_model", d_model, "width there");
    v.field("steps", steps, "steps of a training there");
    v.field("positions", positions, "bytes of a batch there");
    v.field("by_width", by_width, "octaves of the rate per octave of the width");
    v.field("by_steps", by_steps, "octaves of the rate per octave of the steps");
    v.field("by_positions", by_positions, "octaves of the rate per octave of a batch");
    v.field("octaves", octaves, "standard deviation of the best rate over data sets, in octaves");
    v.field("drift", drift,
            "standard deviation of the octaves between the best rates of a training and of one with half the steps");
    v.field("seed_deviation", seed_deviation, "standard deviation between seeds, in bits per byte");
  }
};

double log_rate(const Row& row, const ModelConfig& config, double steps, double positions) {
  return std::log2(row.lr) + row.by_width * std::log2(static_cast<double>(config.d_model) / row.d_model) +
         row.by_steps * std::log2(steps / row.steps) + row.by_positions * std::log2(positions / row.positions);
}

std::vector<std::pair<std::string_view, Row>> rows() {
  std::vector<std::pair<std::string_view, Row>> all;
  for (const MixerRates& embedded : embedded_rates()) {
    Row row;
    const std::string where = std::string(embedded.mixer) + "/rates.json";
    read_fields({std::string(embedded.json), where}, row);
    require(row.lr > 0 && row.d_model > 0 && row.steps > 0 && row.positions > 0 && row.octaves > 0 && row.drift > 0 &&
                row.seed_deviation > 0,
            ErrorCode::config, where,
            ": lr, d_model, steps, positions, octaves, drift and seed_deviation must be above 0");
    all.emplace_back(embedded.mixer, row);
  }
  require(!all.empty(), ErrorCode::config, "no mixer has a rates.json");
  return all;
}

// For each layer: the type of its first mixer that has rates, or else of its first mixer.
std::vector<std::string> types_of(const ModelConfig& config,
                                  const std::vector<std::pair<std::string_view, Row>>& known) {
  std::vector<std::string> all;
  for (const std::vector<std::string>& layer : config.layer_mixers()) {
    std::vector<std::string> types;
    for (const std::string& mixer : layer) types.push_back(parse_json(mixer, config.where).value("type", ""));
    const auto rated = std::ranges::find_if(types, [&](const std::string& type) {
      return std::ranges::any_of(known, [&](const auto& row) { return row.first == type; });
    });
    all.push_back(rated == types.end() ? types.front() : *rated);
  }
  return all;
}
}  // namespace

RatePrior rate_prior(const ModelConfig& config, int64_t steps, int64_t search_steps, int64_t positions) {
  const auto known = rows();
  double octaves = 0, drift = 0;
  const auto long_steps = static_cast<double>(std::max<int64_t>(1, steps)),
             short_steps = static_cast<double>(std::max<int64_t>(1, search_steps)),
             batch = static_cast<double>(positions);
  const auto rate_of = [&](const std::string& type) {
    for (const auto& [mixer, row] : known)
      if (mixer == type) {
        octaves = std::max(octaves, row.octaves);
        drift = std::max(drift, row.drift);
        return log_rate(row, config, long_steps, batch);
      }
    octaves = std::max(octaves, unknown_octaves);
    for (const auto& [mixer, row] : known) drift = std::max(drift, row.drift);
    double mean = 0;
    for (const auto& [mixer, row] : known)
      mean += log_rate(row, config, long_steps, batch) / static_cast<double>(known.size());
    return mean;
  };
  const std::vector<std::string> layers = types_of(config, known);
  double whole = 0;
  for (const std::string& type : layers) whole += rate_of(type) / static_cast<double>(layers.size());
  // A random walk over the octaves of steps: a trial as long as the training has the same best rate.
  return {.lr = std::exp2(whole),
          .octaves = octaves,
          .drift = drift * std::sqrt(std::abs(std::log2(long_steps / short_steps)))};
}

double usual_seed_deviation(const ModelConfig& config, int64_t steps) {
  const auto known = rows();
  const auto at = [&](const Row& row) {
    return row.seed_deviation * std::sqrt(row.steps / static_cast<double>(std::max<int64_t>(1, steps)));
  };
  double squares = 0, of_all = 0;
  for (const auto& [mixer, row] : known) of_all = std::max(of_all, at(row));
  const std::vector<std::string> layers = types_of(config, known);
  for (const std::string& type : layers) {
    const auto row = std::ranges::find_if(known, [&](const auto& r) { return r.first == type; });
    const double one = row == known.end() ? of_all : at(row->second);
    squares += one * one / static_cast<double>(layers.size());
  }
  return std::sqrt(squares);
}

}  // namespace statera
