// How much the rate that `compare` chooses loses to the best of a full sweep: the regret, case by case. See
// bench/rates.sh.
//
//   rates PLAN.json FOLDER STORE [--stage NAME] [--part K/N]
//     runs what is missing in every N-th case, from the K-th on, and keeps it in STORE
//   rates PLAN.json --report STORE...
//     the tables, from what is kept
//
// A case is a stage (steps of a training and of a trial for each kind), a data set (FOLDER/NAME) and a kind of preset.
// Everything but the rate is as in `compare`: parts of the data, batches, schedule, weights of the best step, held-out
// bytes read as one stream.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/check.hpp"
#include "io/json.hpp"
#include "lab/compare/judge.hpp"
#include "lab/compare/plan.hpp"
#include "lab/compare/rate_priors.hpp"
#include "lab/compare/rates.hpp"
#include "lab/compare/store.hpp"
#include "lab/compare/trial.hpp"
#include "lab/measure/stream_cost.hpp"
#include "lab/ngram.hpp"
#include "lab/training_data.hpp"
#include "text/number.hpp"
#include "text/quantity.hpp"

namespace {

using namespace statera;
using Json = nlohmann::ordered_json;

constexpr int64_t judged_bytes = 128 << 10, validation_bytes = 16 << 10;

struct Case {
  std::string stage, data, kind, size;
  int64_t steps = 0, search_steps = 0, batch = 0, length = 0, seeds = 1;
  std::vector<double> rates;
  // bits: how far a rate may be behind the best before the sweep ends on its side
  double behind = std::numeric_limits<double>::infinity();

  std::string preset() const { return size + "-" + kind; }
  std::string place() const { return stage + " " + data; }  // in the store
};

std::string variant(double lr, int64_t steps, int64_t seed) {
  return "lr " + number_text(lr) + " steps " + std::to_string(steps) + " seed " + std::to_string(seed);
}

std::vector<Case> cases(const Json& plan, const std::string& only) {
  std::vector<Case> all;
  for (const auto& [name, stage] : plan.at("stages").items()) {
    if (!only.empty() && only != name) continue;
    for (const std::string data : stage.at("data"))
      for (const auto& [kind, steps] : stage.at("steps").items()) {
        Case c{.stage = name,
               .data = data,
               .kind = kind,
               .size = stage.at("size"),
               .steps = steps,
               .search_steps = stage.at("search_steps").at(kind),
               .batch = stage.at("batch"),
               .length = stage.at("length"),
               .seeds = stage.at("seeds"),
               .rates = {}};
        if (stage.contains("behind")) c.behind = stage.at("behind");
        for (double lr = stage.at("lowest_rate"); c.rates.size() < 7; lr *= 2) c.rates.push_back(lr);
        all.push_back(c);
      }
  }
  return all;
}

// The name of a preset stays when its shape changes, so a store also keeps what the preset was.
void require_same_preset(const Case& c, const Store& store) {
  const auto kept = store.fact("preset " + c.preset());
  require(!kept || *kept == ModelConfig::load(c.preset()).json(), ErrorCode::config, "the store holds trainings of ",
          c.preset(), " as it was before; delete its rows of `trials` and the fact 'preset ", c.preset(),
          "', or give another store");
}

RatePrior prior_of(const Case& c) {
  return rate_prior(ModelConfig::load(c.preset()), c.steps, c.search_steps, c.batch * c.length);
}

// The sweep of a case: from the rate next to the prior's outwards, one step down and one up in turn, on each side to
// the end or to a rate that is too far behind. `cost(lr)` gives bits, or nothing if they are not known; then the sweep
// is not whole, and there is nothing.
template <class Cost>
std::optional<std::vector<TriedRate>> sweep(const Case& c, const Cost& cost) {
  const double usual = std::log2(prior_of(c).lr);
  const auto nearest =
      std::ranges::min_element(c.rates, {}, [&](double lr) { return std::abs(std::log2(lr) - usual); });
  const auto start = static_cast<size_t>(nearest - c.rates.begin());
  size_t low = start, high = start;
  std::map<size_t, double> known;
  double best = std::numeric_limits<double>::infinity();
  const auto take = [&](size_t i) {
    const std::optional<double> bits = cost(c.rates[i]);
    if (bits) known[i] = *bits, best = std::min(best, *bits);
    return bits.has_value();
  };
  const auto goes_on = [&](size_t i) { return i == start || high - low < 2 || !(known.at(i) > best + c.behind); };
  if (!take(start)) return {};
  for (bool more = true; more;) {
    more = false;
    if (low > 0 && goes_on(low)) {
      if (!take(--low)) return {};
      more = true;
    }
    if (high + 1 < c.rates.size() && goes_on(high)) {
      if (!take(++high)) return {};
      more = true;
    }
  }
  std::vector<TriedRate> grid;
  for (const auto& [i, bits] : known) grid.push_back({c.rates[i], bits});
  return grid;
}

double held_out(const Json& value) {
  return value.contains("error") ? std::numeric_limits<double>::infinity() : value.at("held_out").get<double>();
}

// One training as compare does it; {"bits_per_byte" on validation text, "held_out"} or {"error"}.
Json train_once(const Case& c, const Parts& parts, double lr, int64_t steps, int64_t seed, bool judge) {
  ModelConfig config = ModelConfig::load(c.preset());
  config.context = 0;
  Model model(config, Device::cpu({.threads = 1}));
  model.init(static_cast<uint64_t>(seed));
  const CompareSettings usual;
  TrainOptions o{.steps = steps,
                 .batch = c.batch,
                 .length = c.length,
                 .lr = static_cast<float>(lr),
                 .weight_decay = usual.weight_decay,
                 .seed = seed};
  o.evaluate_every = judge ? std::max<int64_t>(1, (steps + evaluations - 1) / evaluations) : steps;
  o.evaluate_bytes = o.final_bytes = validation_bytes;
  BatchTraining data(parts.train, parts.validation, o);
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("statera-rates-" + std::to_string(getpid()));
  Json value = *run_trial(model, data.data(), {.folder = folder.string(), .options = o, .stop = {}, .progress = {}});
  std::filesystem::remove_all(folder);
  if (judge && !value.contains("error")) value["held_out"] = bits(stream_cost(model, parts.held_out, judged_bytes));
  return value;
}

// Runs every training that the case needs and that the store lacks.
void run_case(const Case& c, const std::string& folder, Store& store) {
  const ByteSource source(folder + "/" + c.data);
  const CompareSettings settings{.batch = c.batch, .lengths = std::to_string(c.length)};
  const Parts parts = cut(source, settings);
  const auto kept = [&](double lr, int64_t steps, int64_t seed, bool judge) {
    const std::string name = variant(lr, steps, seed);
    if (const auto value = store.trial(c.preset(), c.place(), name)) return Json::parse(*value);
    const Json value = train_once(c, parts, lr, steps, seed, judge);
    store.keep_trial(c.preset(), c.place(), name, value.dump());
    std::fprintf(stderr, "%s %s %s: %s\n", c.place().c_str(), c.preset().c_str(), name.c_str(),
                 value.contains("error")
                     ? "failed"
                     : number_text(value.value("held_out", value.at("bits_per_byte").get<double>())).c_str());
    return value;
  };
  require_same_preset(c, store);
  store.keep_fact("preset " + c.preset(), ModelConfig::load(c.preset()).json());
  if (!store.fact("plateau " + c.data)) {
    const NgramCost counts = ngram_cost(
        parts.train, parts.held_out.part(0, std::min(judged_bytes, parts.held_out.bytes())), {.max_order = 1});
    store.keep_fact("plateau " + c.data, number_text(counts.bits_per_byte.back()));
  }
  sweep(c, [&](double lr) { return std::optional(held_out(kept(lr, c.steps, 1, true))); });
  const RatePrior prior = prior_of(c);
  std::vector<TriedRate> tried;
  while (c.search_steps >= least_search_steps && std::ssize(tried) < settings.learning_rates) {
    const double lr = next_rate(tried, prior);
    const Json value = kept(lr, c.search_steps, 1, false);
    tried.push_back({lr, value.contains("error") ? std::numeric_limits<double>::infinity()
                                                 : value.at("bits_per_byte").get<double>()});
    std::ranges::sort(tried, {}, &TriedRate::lr);
  }
  const double chosen = choose_rate(tried, prior, std::stod(*store.fact("plateau " + c.data))).lr;
  for (int64_t seed = 1; seed <= c.seeds; ++seed) kept(chosen, c.steps, seed, true);
}

// What the stores hold of a case.
struct Swept {
  Case c;
  std::vector<TriedRate> grid, tried;
  double plateau = 0, best = std::numeric_limits<double>::infinity(), best_lr = 0;
  std::optional<double> chosen;                 // bits of the training with the chosen rate and the first seed
  std::map<double, std::vector<double>> seeds;  // of each rate: bits of its trainings, which differ in their seed

  // Between the rates of the grid: a parabola in octaves through the nearest three, but not below the least of them,
  // which is where one that hardly bends and then rises steeply would lead.
  double at(double lr) const {
    size_t i = 1;
    while (i + 2 < grid.size() && std::log2(lr / grid[i].lr) > 0.5) ++i;
    const double x = std::log2(lr / grid[i].lr), a = grid[i - 1].bits_per_byte, b = grid[i].bits_per_byte,
                 d = grid[i + 1].bits_per_byte;
    if (!std::isfinite(a) || !std::isfinite(d)) return b;
    return std::max(b + (d - a) / 2 * x + (a + d - 2 * b) / 2 * x * x, std::min({a, b, d}));
  }
};

bool load(const Case& c, const std::vector<std::unique_ptr<Store>>& stores, Swept& swept) {
  swept.c = c;
  for (const auto& store : stores) {
    const auto plateau = store->fact("plateau " + c.data);
    if (!plateau) continue;
    require_same_preset(c, *store);
    const auto get = [&](double lr, int64_t steps, int64_t seed) {
      return store->trial(c.preset(), c.place(), variant(lr, steps, seed));
    };
    const auto whole = sweep(c, [&](double lr) {
      const auto value = get(lr, c.steps, 1);
      return value ? std::optional(held_out(Json::parse(*value))) : std::nullopt;
    });
    if (!whole) continue;
    const std::vector<TriedRate>& grid = swept.grid = *whole;
    swept.plateau = std::stod(*plateau);
    const RatePrior prior = prior_of(c);
    for (std::vector<TriedRate>& tried = swept.tried;
         c.search_steps >= least_search_steps && std::ssize(tried) < CompareSettings().learning_rates;) {
      const double lr = next_rate(tried, prior);
      const auto value = get(lr, c.search_steps, 1);
      if (!value) break;
      const Json json = Json::parse(*value);
      tried.push_back({lr, json.contains("error") ? std::numeric_limits<double>::infinity()
                                                  : json.at("bits_per_byte").get<double>()});
      std::ranges::sort(tried, {}, &TriedRate::lr);
    }
    const double chosen = choose_rate(swept.tried, prior, swept.plateau).lr;
    for (const std::string& value : store->trials(c.preset(), c.place()))
      if (const Json json = Json::parse(value); !json.contains("error") && json.at("steps") == c.steps)
        swept.seeds[json.at("lr")].push_back(held_out(json));
    if (const auto value = get(chosen, c.steps, 1)) swept.chosen = held_out(Json::parse(*value));
    for (const TriedRate& t : grid)
      if (t.bits_per_byte < swept.best) swept.best = t.bits_per_byte, swept.best_lr = t.lr;
    return true;
  }
  return false;
}

// Squares of distances from the mean and degrees of freedom, of all rates with more than one seed.
std::pair<double, int64_t> seed_squares(const Swept& one) {
  double squares = 0;
  int64_t freedom = 0;
  for (const auto& [lr, values] : one.seeds) {
    double mean = 0;
    for (double v : values) mean += v / static_cast<double>(values.size());
    for (double v : values) squares += (v - mean) * (v - mean);
    freedom += std::ssize(values) - 1;
  }
  return {squares, freedom};
}

std::string stage_of(const Case& c) { return c.stage + " " + c.preset() + ", " + std::to_string(c.steps) + " steps"; }

// By stage and preset: the same, of all data.
std::map<std::string, std::pair<double, int64_t>> pooled_seeds(const std::vector<Swept>& all) {
  std::map<std::string, std::pair<double, int64_t>> by;
  for (const Swept& s : all) {
    auto& [squares, freedom] = by[stage_of(s.c)];
    const auto [more, degrees] = seed_squares(s);
    squares += more, freedom += degrees;
  }
  return by;
}

// For `seed_deviation` in src/mixers/*/rates.json.
void print_seeds(const std::vector<Swept>& all) {
  std::printf("\n");
  for (const auto& [name, sum] : pooled_seeds(all))
    if (sum.second > 0)
      std::printf("%s: standard deviation between seeds %.4f, %lld degrees of freedom\n", name.c_str(),
                  std::sqrt(sum.first / static_cast<double>(sum.second)), static_cast<long long>(sum.second));
}

// How many octaves above the usual rate the mean regret over these sweeps is least. Where the rate does not matter it
// has no say.
double best_octaves(const std::vector<const Swept*>& all) {
  double best = 0, least = std::numeric_limits<double>::infinity();
  for (double octaves = -2; octaves <= 2; octaves += 1.0 / 16) {
    double regret = 0;
    for (const Swept* s : all) regret += std::max(0.0, s->at(prior_of(s->c).lr * std::exp2(octaves)) - s->best);
    if (regret < least) least = regret, best = octaves;
  }
  return best;
}

// The prior of a case as the sweeps on other data sets, of all stages, would have it; the slopes of rates.json stay.
RatePrior without_this(const Swept& one, const std::vector<Swept>& all) {
  RatePrior prior = prior_of(one.c);
  std::vector<const Swept*> others;
  for (const Swept& other : all)
    if (other.c.kind == one.c.kind && other.c.data != one.c.data) others.push_back(&other);
  const double moved = others.empty() ? 1 : std::exp2(best_octaves(others));
  prior.lr *= moved;
  return prior;
}

// The largest regret that a case may have: 0.02, or twice the standard deviation between its seeds, over all data of
// the stage, where that is more.
double bound_of(const Swept& one, const std::vector<Swept>& all) {
  const auto [squares, freedom] = pooled_seeds(all)[stage_of(one.c)];
  return std::max(0.02, freedom > 0 ? 2 * std::sqrt(squares / static_cast<double>(freedom)) : 0);
}

void report(const std::vector<Swept>& all) {
  std::printf(
      "| stage | data | kind | best of the sweep, at rate | rate of the prior | rate chosen | its bits per byte | "
      "regret | its bound "
      "| regret of a prior without this data | expected loss | seeds "
      "|\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  std::map<std::string, std::vector<double>> shipped, unseen, second;
  std::string beyond;
  size_t below_95_percent = 0;
  for (const Swept& s : all) {
    const RatePrior prior = prior_of(s.c);
    const RateChoice choice = choose_rate(s.tried, prior, s.plateau),
                     blind = choose_rate(s.tried, without_this(s, all), s.plateau);
    const double chosen = s.chosen.value_or(s.at(choice.lr)), best = std::min(s.best, s.chosen.value_or(s.best));
    const double regret = std::max(0.0, chosen - best), regret_unseen = std::max(0.0, s.at(blind.lr) - s.best);
    const auto [squares, freedom] = seed_squares(s);
    std::printf("| %s | %s | %s | %.3f, %s | %.2g | %s | %.3f%s | %.4f | %.4f | %.4f | %.4f | %s |\n",
                s.c.stage.c_str(), s.c.data.c_str(), s.c.kind.c_str(), s.best, number_text(s.best_lr).c_str(), prior.lr,
                number_text(choice.lr).c_str(), chosen, s.chosen ? "" : " (interpolated)", regret, bound_of(s, all),
                regret_unseen, choice.expected_loss,
                freedom > 0 ? fixed(std::sqrt(squares / static_cast<double>(freedom)), 4).c_str() : "");
    if (regret > bound_of(s, all)) beyond += " " + s.c.stage + " " + s.c.data + " " + s.c.kind + ";";
    below_95_percent += regret < choice.loss_95_percent ? 1 : 0;
    shipped[s.c.stage].push_back(regret);
    unseen[s.c.stage].push_back(regret_unseen);
    if (const auto at = s.seeds.find(choice.lr); at != s.seeds.end() && at->second.size() > 1)
      second[s.c.stage].push_back(std::max(0.0, at->second[1] - s.best));
  }
  for (const auto& [stage, regrets] : shipped) {
    const auto mean = [](const std::vector<double>& v) {
      double sum = 0;
      for (double x : v) sum += x;
      return sum / static_cast<double>(v.size());
    };
    std::printf(
        "\n%s: %zu cases, regret %.4f on average, %.4f at most; with a prior that has not seen the data %.4f and "
        "%.4f\n",
        stage.c_str(), regrets.size(), mean(regrets), *std::ranges::max_element(regrets), mean(unseen[stage]),
        *std::ranges::max_element(unseen[stage]));
    if (const auto& losses = second[stage]; !losses.empty())
      std::printf(
          "\n%s: second seeds at %zu of the chosen rates, compared with the best of the first seed: %.4f and %.4f\n",
          stage.c_str(), losses.size(), mean(losses), *std::ranges::max_element(losses));
  }
  std::printf("\nRegrets below what 95 %% should be below: %zu of %zu\n", below_95_percent, all.size());
  std::printf("\nBeyond the bound:%s\n", beyond.empty() ? " none" : beyond.c_str());
}

// For the rows of src/mixers/*/rates.json.
void print_best(const std::vector<Swept>& all) {
  std::map<std::string, std::vector<const Swept*>> by;
  for (const Swept& s : all) by[stage_of(s.c)].push_back(&s);
  std::printf("\n");
  for (const auto& [name, sweeps] : by) {
    const double usual = prior_of(sweeps.front()->c).lr;
    std::printf("%s: least mean regret at %.2g, usual rate %.2g\n", name.c_str(),
                usual * std::exp2(best_octaves(sweeps)), usual);
  }
}

Json read_plan(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return parse_ordered_json(text.str(), path);
}
}  // namespace

int main(int argc, char** argv) try {
  if (argc < 4)
    return std::fprintf(stderr,
                        "usage: rates PLAN.json FOLDER STORE [--stage NAME] [--part K/N], or rates PLAN.json --report "
                        "STORE...\n"),
           2;
  const Json plan = read_plan(argv[1]);
  if (!std::strcmp(argv[2], "--report")) {
    std::vector<std::unique_ptr<Store>> stores;
    for (int i = 3; i < argc; ++i) stores.push_back(std::make_unique<Store>(argv[i]));
    std::vector<Swept> all;
    for (const Case& c : cases(plan, ""))
      if (Swept swept; load(c, stores, swept)) all.push_back(swept);
    if (all.empty()) return std::fprintf(stderr, "rates: no case is done yet\n"), 1;
    report(all);
    print_best(all);
    print_seeds(all);
    return 0;
  }
  std::string stage;
  size_t part = 0, parts = 1;
  for (int i = 4; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--stage"))
      stage = argv[i + 1];
    else if (!std::strcmp(argv[i], "--part") && std::sscanf(argv[i + 1], "%zu/%zu", &part, &parts) == 2 && part < parts)
      continue;
    else
      return std::fprintf(stderr, "rates: unknown flag %s\n", argv[i]), 2;
  }
  Store store(argv[3]);
  const std::vector<Case> all = cases(plan, stage);
  for (size_t i = part; i < all.size(); i += parts) run_case(all[i], argv[2], store);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "rates: %s\n", error.what());
  return 1;
}
