#include "lab/compare/inner_ratio.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "io/json.hpp"
#include "lab/report/keys.hpp"
#include "mixers/mixer.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

// The configs of mixers with inner stacks; those of brackets from the outermost on.
struct InnerMixers {
  explicit InnerMixers(const ModelConfig& config) : json(parse_ordered_json(config.json(), config.where)) {
    find(json);
  }
  InnerMixers(const InnerMixers&) = delete;
  InnerMixers& operator=(const InnerMixers&) = delete;

  void find(Json& value) {
    if (value.is_object() && value.contains("type") && value["type"].is_string())
      if (const InnerPace* pace = inner_pace(value["type"].get<std::string>())) all.emplace_back(&value, pace);
    if (!value.is_structured()) return;
    for (Json& child : value) find(child);
  }

  ModelConfig parsed(const ModelConfig& config) const { return ModelConfig::parse(json_text(json), config.where); }

  Json json;
  std::vector<std::pair<Json*, const InnerPace*>> all;
};
}  // namespace

bool has_inner_stacks(const ModelConfig& config) { return !InnerMixers(config).all.empty(); }

bool learns_cuts(const ModelConfig& config) { return at_targets(config).json() != config.json(); }

ModelConfig at_targets(const ModelConfig& config) {
  const InnerMixers inner(config);
  for (const auto& [mixer, pace] : inner.all) pace->cut_evenly(*mixer);
  return inner.parsed(config);
}

std::optional<ModelConfig> with_ratios(const ModelConfig& config, std::span<const double> ratios) {
  const InnerMixers inner(config);
  if (ratios.size() != inner.all.size() || (ratios.size() > 1 && config.inner.size() != ratios.size())) return {};
  for (size_t i = 0; i < ratios.size(); ++i) inner.all[i].second->set_ratio(*inner.all[i].first, ratios[i]);
  return inner.parsed(config);
}

TrainingFlops training_flops(const Json& curve, double planned, const ModelConfig& config, int64_t ids) {
  TrainingFlops found{.at = {}, .per_step = planned, .ratios = {}, .last = {}};
  const auto flops = [&](const ModelConfig& of) { return LanguageModel(of).cost(ids, ids).training_flops; };
  std::optional<double> at_target;
  std::vector<double> read;  // steps, then what each stack read in them, in positions of the whole model
  double before = 0, sum = 0;
  for (const Json& point : curve) {
    const double step = point.at(key::step);
    if (const auto ratios = point.find("ratios"); ratios != point.end()) {
      found.last = ratios->get<std::vector<double>>();
      if (const auto real = with_ratios(config, found.last)) {
        if (!at_target) at_target = flops(config);
        found.per_step = planned * flops(*real) / *at_target;
      } else {
        found.last.clear();
      }
    }
    sum += (step - before) * found.per_step;
    found.at.push_back(sum);
    read.resize(found.last.empty() ? 0 : found.last.size() + 1);
    double share = step - before;
    for (size_t i = 0; i < read.size(); ++i) {
      if (i > 0) share /= found.last[i - 1];
      read[i] += share;
    }
    before = step;
  }
  for (size_t i = 1; i < read.size(); ++i) found.ratios.push_back(read[i - 1] / read[i]);
  return found;
}

}  // namespace statera
