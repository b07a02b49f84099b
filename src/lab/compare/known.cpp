#include "lab/compare/known.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/check.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "lab/compare/rate_priors.hpp"
#include "lab/report/keys.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

// A training is unfinished whose curve falls by more than `steep` bits per byte over its second half, or by more than
// `steep_share` of its last value over its last quarter. With a rate that falls to a tenth, usual are 0.2 to 0.35 bits,
// and shares of 0 to 0.083 on texts, DNA and sound whatever the rate (bench/rates/*.sqlite). On logs, which cost
// little, it was 0.1 to 0.27 after 1,350 to 1,560 steps.
constexpr double steep = 0.5, steep_share = 0.1, risen = 0.02;

// The candidate's seeds that have been judged so far.
Judged judged_of(const Store& store, const std::string& name) {
  Judged judged{.name = name, .nats = {}};
  for (int64_t seed = 1;; ++seed) {
    std::vector<float> nats = store.costs(name, seed);
    if (nats.empty()) return judged;
    judged.nats.push_back(std::move(nats));
  }
}

RateChoice rate_of(const Store& store, const CompareSettings& settings, const Amounts& amounts, const Known& known) {
  std::vector<TriedRate> tried;
  for (const Json& trial : searched(store, known.name))
    tried.push_back({trial.at(key::lr), trial.contains(key::error) ? std::numeric_limits<double>::infinity()
                                                                   : trial.at(key::bits_per_byte).get<double>()});
  return choose_rate(tried,
                     rate_prior(config_of(known), train_steps(settings, known.costs, amounts),
                                steps_for(settings, known.costs, amounts.search), std::llround(known.costs.bytes())),
                     counted(store, 1));
}

// Whether more time would change the result: it costs more than counts of three bytes, or falls steeply at the end. One
// that has risen again from its least has begun to memorise the text, and more time would make it worse.
bool unfinished(const Store& store, const Known& known) {
  if (!known.done()) return false;
  const Json& curve = known.trained.at(key::curve);
  if (curve.size() < 3) return false;
  const auto after = [&](size_t quarters) -> double {
    return curve.at(curve.size() * quarters / 4 - 1).at(key::bits_per_byte);
  };
  const double last = after(4);
  double least = last;
  for (const Json& point : curve) least = std::min(least, point.at(key::bits_per_byte).get<double>());
  if (last > least + risen) return false;
  // on the same text as the counts: validation text may be easier or harder
  return mean_bits(known.judged) > counted(store, 2) || after(2) - last > steep || after(3) - last > steep_share * last;
}
}  // namespace

ModelConfig config_of(const Known& known) { return ModelConfig::parse(known.value.at(key::config).dump(), known.name); }

Json stored_json(const std::string& text) { return parse_ordered_json(text, "compare.sqlite", size_t{64} << 20); }

std::vector<Known> all_known(const Store& store, const CompareSettings& settings, const Amounts& amounts) {
  std::vector<Known> all;
  for (const auto& [name, value] : store.candidates()) {
    Known known{.name = name, .value = stored_json(value), .judged = judged_of(store, name), .seeds = settings.seeds};
    read_fields({known.value.at("costs").dump(), "compare.sqlite"}, known.costs);
    known.length = known.value.at(key::length);
    known.batch = known.value.at(key::batch);
    for (int64_t seed = settings.seeds; seed >= 1; --seed)
      if (const auto trial = store.trial(name, "train", "seed " + std::to_string(seed)))
        if (Json trained = stored_json(*trial); seed == 1 ? !known.trained.is_object() : trained.contains(key::error))
          known.trained = std::move(trained);
    for (const auto& nats : known.judged.nats)
      require(static_cast<int64_t>(nats.size()) == amounts.judged_bytes, ErrorCode::io, "compare.sqlite: the costs of ",
              name, " are ", nats.size(), ", not ", amounts.judged_bytes,
              "; the file is damaged, choose another folder with --out");
    if (known.trained.is_object() && !known.trained.contains(key::error))
      known.flops = training_flops(known.trained.at(key::curve), known.costs.step_flops, config_of(known),
                                   known.costs.positions / known.batch);
    known.rate = rate_of(store, settings, amounts, known);
    if (known.trained.is_object() && known.trained.contains(key::lr))
      known.rate = with_rate(known.rate, known.trained.at(key::lr));
    known.judged.rate_loss_95_percent = known.rate.loss_95_percent;
    known.judged.seed_deviation = usual_seed_deviation(config_of(known), train_steps(settings, known.costs, amounts));
    known.unfinished = unfinished(store, known);
    all.push_back(std::move(known));
  }
  return all;
}

const Known* best_of(const std::vector<Known>& all) {
  const auto place = [](const Known& known) {
    return std::tuple(known.unfinished, -std::ssize(known.judged.nats), mean_bits(known.judged));
  };
  const Known* best = nullptr;
  for (const Known& known : all)
    if (known.done() && (!best || place(known) < place(*best))) best = &known;
  // A candidate with one seed may be ahead of what the best had from that seed: it was added later, or the run was cut.
  const Known* ahead = best;
  double least = 0;
  for (const Known& known : all) {
    if (!known.done() || &known == best || known.unfinished != best->unfinished) continue;
    if (const double behind = lead(known.judged, best->judged).behind; behind < least) ahead = &known, least = behind;
  }
  return ahead;
}

std::vector<Json> searched(const Store& store, const std::string& candidate) {
  std::vector<Json> all;
  for (const std::string& value : store.trials(candidate, "search")) all.push_back(stored_json(value));
  std::sort(all.begin(), all.end(),
            [](const Json& a, const Json& b) { return a.at(key::lr).get<double>() < b.at(key::lr).get<double>(); });
  return all;
}

Json baselines_of(const Store& store) {
  return stored_json(store.fact("baselines").value_or(R"({"rows": [], "note": ""})"));
}

double counted(const Store& store, int order) {
  const Json baselines = baselines_of(store);
  for (const Json& row : baselines.at("rows"))
    if (row.at(key::name) == "n-gram order " + std::to_string(order)) return row.at(key::bits_per_byte);
  return std::numeric_limits<double>::infinity();
}

std::vector<std::string> first_two(const Store& store, const CompareSettings& settings, const Amounts& amounts) {
  std::vector<Known> all = all_known(store, settings, amounts);
  // The amounts as they were after the first seed, so that a run that was cut makes the same decision.
  for (Known& known : all) {
    known.judged.nats.resize(std::min<size_t>(1, known.judged.nats.size()));
    known.unfinished = unfinished(store, known);
  }
  std::erase_if(all, [&](const Known& known) { return !known.done(); });
  std::stable_sort(all.begin(), all.end(), [](const Known& a, const Known& b) {
    return std::pair(a.unfinished, mean_bits(a.judged)) < std::pair(b.unfinished, mean_bits(b.judged));
  });
  if (all.size() < 2) return {};
  return {all[0].name, all[1].name};
}

}  // namespace statera
