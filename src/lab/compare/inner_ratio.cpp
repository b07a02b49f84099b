#include "lab/compare/inner_ratio.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "io/json.hpp"
#include "lab/report/keys.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;
constexpr double most_ratio = 1 << 20;

void find_inner(Json& json, std::vector<Json*>& found) {
  if (json.is_object() && json.contains("stack") && json.contains("type") && json["type"] == "hnet")
    found.push_back(&json);
  if (!json.is_structured()) return;
  for (Json& child : json) find_inner(child, found);
}

struct Inner {
  explicit Inner(const ModelConfig& config) : json(parse_ordered_json(config.json(), config.where)) {
    find_inner(json, stacks);
  }
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;

  Json json;
  std::vector<Json*> stacks;  // those of brackets from the outermost on
};

std::string router_of(const Json& stack) { return stack.value("router", "learned"); }

ModelConfig parsed(const Inner& inner, const ModelConfig& config) {
  return ModelConfig::parse(json_text(inner.json), config.where);
}
}  // namespace

bool has_inner_stacks(const ModelConfig& config) { return !Inner(config).stacks.empty(); }

ModelConfig at_targets(const ModelConfig& config) {
  const Inner inner(config);
  bool changed = false;
  for (Json* stack : inner.stacks) {
    if (router_of(*stack) != "learned") continue;
    changed = true;
    for (const char* key : {"confidence", "ratio_from", "ratio_weight"}) stack->erase(key);
    (*stack)["router"] = "stride";
    if (stack->contains("ratio")) (*stack)["ratio"] = std::max(2.0, std::round((*stack)["ratio"].get<double>()));
  }
  return changed ? parsed(inner, config) : config;
}

std::optional<ModelConfig> with_ratios(const ModelConfig& config, std::span<const double> ratios) {
  const Inner inner(config);
  if (ratios.size() != inner.stacks.size() || (ratios.size() > 1 && config.inner.size() != ratios.size())) return {};
  for (size_t i = 0; i < ratios.size(); ++i)
    if (router_of(*inner.stacks[i]) != "stride")
      (*inner.stacks[i])["ratio"] = std::clamp(ratios[i], 1 + 1e-9, most_ratio);
  return parsed(inner, config);
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
