#include "lab/compare/plan.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "core/check.hpp"
#include "lab/baselines.hpp"
#include "lab/compare/inner_ratio.hpp"
#include "lab/measure/contexts.hpp"
#include "lab/measure/recall.hpp"
#include "lab/measure/stream_cost.hpp"
#include "lab/training_data.hpp"
#include "models/language_model.hpp"
#include "statera/optimizer.hpp"
#include "statera/session.hpp"
#include "statera/train.hpp"
#include "text/quantity.hpp"
#include "train/forecast.hpp"
#include "train/held_out.hpp"

namespace statera {

namespace {
using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

constexpr int64_t prefill_bytes = 1024;
constexpr int64_t most_pieces = 8, least_piece = 8;  // of validation; the least in windows
constexpr int64_t least_held_out = 4096;             // enough blocks for paired differences
constexpr int64_t longest_growth = 4;                // the largest growth by fillers
constexpr int64_t least_steps = 30;        // with fewer, a result says more about the start than about the model
constexpr int64_t least_seed_steps = 800;  // of a training: below these more steps say more than a second seed
constexpr double margin = 0.95;            // share of the budget that is planned; the rest is for what no forecast sees
constexpr double start_steps = 2;          // cost of making a model and its first checkpoint, in steps
constexpr int64_t least_noise_steps = 100;  // with fewer, a model has not got used to fillers
constexpr double noise_trainings = 3;       // streams that are 1, 2 and 4 times as long
constexpr double learning_cost = 1.1;       // cost of learning from a byte, in bytes of a training step
}  // namespace

void CompareSettings::check() const {
  const auto at_least = [](const char* name, auto value, auto least) {
    require(value >= least, ErrorCode::config, "[compare] ", name, " is ", value, "; it must be at least ", least);
  };
  require(match == "time" || match == "flops" || match == "params", ErrorCode::config, "[compare] match '", match,
          "'; known: time, flops, params");
  require(budget > 0 && std::isfinite(budget), ErrorCode::config, "[compare] the budget is ", budget,
          " seconds; it must be above 0");
  const auto within = [&](const char* name, int64_t value, int64_t least, int64_t most) {
    at_least(name, value, least);
    require(value <= most, ErrorCode::config, "[compare] ", name, " is ", value, "; it must be at most ", most);
  };
  within("seeds", seeds, 1, 1000);
  within("batch", batch, 1, most_batch);
  for (const int64_t length : length_list()) within("length", length, least_length, most_length);
  require(match != "params" || length_list().size() == 1, ErrorCode::config,
          "[compare] match params holds steps equal, and with lengths ", lengths,
          " a step reads different amounts; take --match time or flops");
  static_cast<void>(precision_named(precision));
  require(weight_decay >= 0 && std::isfinite(weight_decay), ErrorCode::config, "[compare] weight_decay is ",
          weight_decay, "; it must be finite, and at least 0");
  require(dropout >= 0 && dropout < 1, ErrorCode::config, "[compare] dropout is ", dropout, "; it must be in [0, 1)");
  at_least("held_out_bytes", held_out_bytes, 0);
  within("learning_rates", learning_rates, 1, 32);
  at_least("search_share", search_share, 0);
  require(learning_rates == 1 || search_share > 0, ErrorCode::config,
          "[compare] search_share is 0, which buys no step for ", learning_rates,
          " learning rates; raise it, or take one rate");
  at_least("noise_share", noise_share, 0);
  at_least("measure_share", measure_share, 0);
  require(search_share + noise_share + measure_share <= 0.8, ErrorCode::config,
          "[compare] the shares leave less than a fifth of the budget to train in");
}

std::vector<int64_t> CompareSettings::length_list() const {
  std::vector<int64_t> all;
  std::string_view rest = lengths;
  while (true) {
    const size_t end = std::min(rest.find(','), rest.size());
    int64_t length = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + end, length);
    require(read.ec == std::errc() && read.ptr == rest.data() + end, ErrorCode::config, "[compare] lengths is '",
            lengths, "'; expected whole numbers with commas, as in 512,2048");
    all.push_back(length);
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::string Amounts::wrong() const {
  for (const auto& [name, value] : {std::pair("search", search), std::pair("train", train), std::pair("noise", noise)})
    if (!(value >= 0 && std::isfinite(value)))
      return std::string(name) + " is " + number_text(value) + ", expected 0 or more";
  for (const auto& [name, value] :
       {std::pair("second_seeds", second_seeds), std::pair("validation_bytes", validation_bytes),
        std::pair("judged_bytes", judged_bytes), std::pair("position_bytes", position_bytes),
        std::pair("noise_bytes", noise_bytes), std::pair("passages", passages)})
    if (value < 0) return std::string(name) + " is " + std::to_string(value) + ", expected 0 or more";
  return "";
}

Parts cut(const ByteSource& source, const CompareSettings& s) {
  const std::vector<int64_t> lengths = s.length_list();
  const int64_t length = lengths.back(), batch = std::max<int64_t>(1, s.batch * lengths.front() / length);
  const int64_t all = source.bytes(), window = std::max(batch, lengths.size() > 1 ? 1 : longest_growth) * length + 1;
  const int64_t held_out = s.held_out_bytes > 0 ? s.held_out_bytes : (all + 9) / 10;
  const int64_t validation =
      std::clamp<int64_t>((all - held_out) / 50, window, std::max<int64_t>(window, int64_t{64} << 10));
  require(s.held_out_bytes == 0 || s.held_out_bytes >= least_held_out, ErrorCode::config, "--held-out-bytes ",
          s.held_out_bytes, " are too few to tell a difference from noise; give at least ", least_held_out);
  const int64_t needed = std::max<int64_t>(s.held_out_bytes > 0 ? s.held_out_bytes : 0, window) + 3 * window;
  require(held_out >= length && all - held_out - validation >= window, ErrorCode::config, source.name(), " has ", all,
          " bytes: too few to train on, to choose on and to judge on with batches of ", batch, " x ", length, "; ",
          std::max(needed, 12 * window), " would do, or a smaller --batch or --length");
  const int64_t before = all - held_out,
                pieces = std::clamp<int64_t>(validation / (least_piece * length), 1, most_pieces);
  std::vector<std::pair<int64_t, int64_t>> train, chosen_on;
  int64_t done = 0;
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t size = validation * (i + 1) / pieces - validation * i / pieces,
                  begin = (2 * i + 1) * (before - validation) / (2 * pieces) + validation * i / pieces;
    train.emplace_back(done, begin);
    chosen_on.emplace_back(begin, begin + size);
    done = begin + size;
  }
  train.emplace_back(done, before);
  return {source.parts(train), source.parts(chosen_on), source.part(before, all)};
}

UnitParts in_units(const Parts& parts, const std::shared_ptr<const Units>& units, double seconds,
                   const std::function<void()>& often) {
  const auto begin = Clock::now();
  IdSource train(parts.train, units, often);
  const double encoding = units == byte_units() ? 0 : since(begin);
  return {.train = std::move(train),
          .validation = {parts.validation, units, often},
          .held_out = {parts.held_out, units, often},
          .seconds = seconds + encoding};
}

ByteSource evaluated(const ByteSource& validation, const Candidate& candidate, int64_t bytes) {
  const int64_t each = candidate.batch * candidate.length, all = validation.bytes(), batches = (all + each - 1) / each;
  const int64_t count = std::min(batches, std::max<int64_t>(1, bytes / each));
  std::vector<std::pair<int64_t, int64_t>> pieces;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = (2 * i + 1) * batches / (2 * count) * each;
    pieces.emplace_back(begin, std::min(begin + each, all));
  }
  return validation.parts(pieces);
}

namespace {
// One visit makes the model, warms it up, times it and frees it, so that memory holds one candidate at a time.
struct Visit {
  std::vector<double> steps, evaluations, prefills;
};

struct ParameterCount : ParameterVisitor {
  explicit ParameterCount(LanguageModel& modules) { modules.visit_parameters(*this); }
  void visit(Parameter& p) override {
    all += p.elements();
    if (p.name == "embedding.weight" || p.name == "output.weight") embedding += p.elements();
  }
  int64_t all = 0, embedding = 0;
};

void time_candidate(const Candidate& candidate, const CompareSettings& s, const Parts& parts, const Device& device,
                    double seconds, Visit& visit, Calibration& result) {
  Model model(at_targets(candidate.config), device);
  model.init(1);
  const UnitParts read = candidate.parts ? *candidate.parts : in_units(parts, byte_units());
  model.set_units(read.train.shared_units());
  model.set_context(candidate.ids());
  AdamW optimizer(model.parameters(), {}, device);
  Tape tape(device.with(precision_named(s.precision)));
  const TrainOptions options{
      .batch = candidate.batch, .length = candidate.ids(), .dropout = s.dropout, .precision = s.precision};
  BatchTraining training(read.train, read.validation, options);
  const TrainingData data = training.data();
  if (visit.steps.empty()) check_memory(model, data, options);
  const auto step = [&](int64_t i) {
    const auto begin = Clock::now();
    const Batch batch = data.batch(i);
    training_pass(model, tape, batch.inputs, batch.targets, {.dropout = s.dropout});
    optimizer.step(0.01);
    tape.reset();
    return since(begin);
  };
  step(0);  // allocates memory
  const auto begin = Clock::now();
  for (int64_t i = 1; i < 3 || since(begin) < seconds; ++i) visit.steps.push_back(step(i));
  // the first evaluation packs the weights
  if (tape.device().precision() != Precision::fp32) measure_held_out(tape, model, data, options, 1);
  const auto evaluation = Clock::now();
  measure_held_out(tape, model, data, options, 1);
  visit.evaluations.push_back(since(evaluation));
  Session session(model, {.rewind_bytes = 0});
  const std::span<const uint8_t> text = longest_document(parts.held_out);
  const auto beginning = text.first(std::min<size_t>(prefill_bytes, text.size()));
  const std::vector<int32_t> ids = ids_of(model, beginning).ids;
  session.prefill(ids);
  const auto at = Clock::now();
  session.prefill(ids);
  visit.prefills.push_back(since(at) / static_cast<double>(beginning.size()));
  LanguageModel modules(candidate.config);
  const ParameterCount count(modules);
  result.parameters = count.all;
  result.embedding = count.embedding;
  result.at_targets = true;
  result.positions = candidate.positions();
  result.bytes_per_id = candidate.bytes_per_id();
  result.prepare_seconds = read.seconds;
  result.longest_state_bytes =
      modules.cost(1, std::llround(static_cast<double>(longest_context) / candidate.bytes_per_id())).state_bytes;
  result.step_flops =
      modules.cost(candidate.ids(), candidate.ids()).training_flops * static_cast<double>(candidate.positions());
}
}  // namespace

std::vector<Calibration> calibrate(const std::vector<Candidate>& candidates, const CompareSettings& settings,
                                   const Parts& parts, const Device& device, double seconds,
                                   const std::function<bool()>& stop) {
  constexpr int rounds = 4;
  std::vector<Visit> visits(candidates.size());
  std::vector<Calibration> results(candidates.size());
  for (int round = 0; round < rounds; ++round) {
    for (size_t c = 0; c < candidates.size(); ++c) try {
        time_candidate(candidates[c], settings, parts, device,
                       seconds / rounds / static_cast<double>(candidates.size()), visits[c], results[c]);
      } catch (const Error& error) {
        fail(error.code(), candidates[c].name, ": ", error.what());
      }
    if (stop && stop()) break;
  }
  for (size_t c = 0; c < candidates.size(); ++c) {
    results[c].step_seconds = median(visits[c].steps);
    results[c].evaluate_seconds = median(visits[c].evaluations);
    results[c].prefill_seconds = median(visits[c].prefills);
  }
  return results;
}

bool searches(const CompareSettings& s) { return s.learning_rates > 1; }

double unit(const CompareSettings& s, const Calibration& c) {
  return s.match == "time" ? c.step_seconds : s.match == "flops" ? c.step_flops : 1;
}

int64_t steps_for(const CompareSettings& s, const Calibration& c, double amount) {
  return std::max<int64_t>(1, static_cast<int64_t>(amount / unit(s, c) + 1e-6));
}

int64_t train_steps(const CompareSettings& s, const Calibration& c, const Amounts& a) {
  return steps_for(s, c, s.match == "time" ? std::max(0.0, a.train - c.prepare_seconds) : a.train);
}

namespace {
double trainings(const CompareSettings& s) {
  return static_cast<double>((searches(s) ? s.learning_rates : 0) + s.seeds) + noise_trainings;
}

// A held-out byte is read once by the frozen model, and once by the one that goes on learning, beside counts.
double judged_seconds(const CompareSettings& s, const Calibration& c) {
  return c.prefill_seconds * static_cast<double>(s.seeds + 1) + learning_cost * c.step_seconds / c.bytes() +
         counts_seconds_per_byte;
}

}  // namespace

double measure_seconds(const CompareSettings& s, const Calibration& c, const Amounts& a) {
  const double contexts = 0.1 + 3e-9 * c.longest_state_bytes;  // a state is made and read a few dozen times
  const auto positions = static_cast<double>(a.position_bytes + 7 * a.noise_bytes + a.passages * recall_positions);
  return contexts + positions * c.prefill_seconds + static_cast<double>(a.judged_bytes) * judged_seconds(s, c);
}

namespace {
// Measures as much as the share allows for the slowest candidate, so that all are measured on the same bytes.
void choose_measured(const CompareSettings& s, const std::vector<Calibration>& all, const Parts& parts, Amounts& a) {
  double slowest = 0, slowest_judged = 0;
  for (const Calibration& c : all) {
    slowest = std::max(slowest, c.prefill_seconds);
    slowest_judged = std::max(slowest_judged, judged_seconds(s, c));
  }
  const double seconds = s.measure_share * s.budget / static_cast<double>(all.size());
  const auto amount = [&](double share, int64_t least, int64_t most, double each) {
    return std::clamp(static_cast<int64_t>(share * seconds / each), std::min(least, most), most);
  };
  const int64_t held_out = parts.held_out.bytes();
  a.judged_bytes = amount(0.6, int64_t{16} << 10, std::min<int64_t>(held_out, int64_t{1} << 20), slowest_judged);
  a.position_bytes = amount(0.15, int64_t{8} << 10, std::min<int64_t>(held_out, int64_t{256} << 10), slowest);
  a.noise_bytes = amount(0.08 / 7, int64_t{4} << 10, std::min<int64_t>(held_out, int64_t{64} << 10), slowest);
  a.passages = amount(0.17 / static_cast<double>(recall_positions), 4, 16, slowest);
}

void check_parameters(const CompareSettings& s, const std::vector<Candidate>& candidates,
                      const std::vector<Calibration>& all) {
  if (s.match != "params") return;
  for (size_t c = 1; c < all.size(); ++c) {
    // a larger vocabulary makes the embedding larger, and is no other model for that
    const bool same_ids = candidates[c].config.vocab_size == candidates[0].config.vocab_size;
    const auto counted = [&](size_t i) { return all[i].parameters - (same_ids ? 0 : all[i].embedding); };
    const int64_t first = counted(0), other = counted(c);
    require(static_cast<double>(std::max(first, other)) <= 1.03 * static_cast<double>(std::min(first, other)),
            ErrorCode::config, "--match params: ", same_ids ? "" : "without the embedding ", candidates[0].name,
            " has ", first, " parameters and ", candidates[c].name, " ", other,
            "; take presets of one size, or --match flops or time");
  }
}

std::string rounded_up(double seconds) {
  const double to = seconds < 120 ? 10 : 60;
  const auto s = static_cast<int64_t>(std::ceil(seconds / to) * to);
  return s % 60 ? std::to_string(s) + "s" : std::to_string(s / 60) + "m";
}

Amounts amounts_for(const CompareSettings& s, const std::vector<Calibration>& all, const Parts& parts) {
  Amounts a;
  choose_measured(s, all, parts, a);
  // Baselines are measured on the same text, and the verdict compares them.
  const int64_t learned = parts.train.bytes() + parts.validation.bytes();
  a.judged_bytes =
      std::min(a.judged_bytes, baseline_bytes(learned, a.judged_bytes, baseline_share * s.budget).held_out);
  const auto n = static_cast<double>(all.size());
  double fixed = baseline_seconds(parts.train.bytes() + parts.validation.bytes(), parts.held_out.bytes(),
                                  baseline_share * s.budget),
         per_unit = 0, evaluate = 0;
  for (const Calibration& c : all) {
    fixed += measure_seconds(s, c, a) + trainings(s) * start_steps * c.step_seconds;
    per_unit += c.step_seconds / unit(s, c);
    evaluate = std::max(evaluate, c.evaluate_seconds);
  }
  double search = searches(s) ? s.search_share * s.budget : 0;
  const auto buys = [&](double seconds, double trials, int64_t steps) {
    return std::ranges::all_of(all, [&](const Calibration& c) {
      return seconds / per_unit / trials / unit(s, c) >= static_cast<double>(steps);
    });
  };
  if (!buys(search, static_cast<double>(s.learning_rates), least_search_steps)) search = 0;
  double noise = s.length_list().size() > 1 ? 0 : s.noise_share * s.budget;
  if (!buys(noise, noise_trainings, least_noise_steps)) noise = 0;
  const double train = std::max(0.0, margin * s.budget - fixed - search - noise);
  constexpr double evaluated = 0.06;  // share of the training time for evaluations
  const bool may = s.seeds == 1 && all.size() > 1;
  a.second_seeds = may && buys((1 - evaluated) * train, (n + 2) / n, least_seed_steps) ? 2 : 0;
  const double each = n * static_cast<double>(s.seeds) + static_cast<double>(a.second_seeds);  // trainings
  int64_t largest = 0;                                                                         // bytes of a batch
  for (const Calibration& c : all) largest = std::max<int64_t>(largest, std::llround(c.bytes()));
  const double batches = evaluated * train / each / static_cast<double>(evaluations + 1) / evaluate;
  a.validation_bytes =
      std::clamp<int64_t>(static_cast<int64_t>(batches), 1, std::max<int64_t>(1, parts.validation.bytes() / largest)) *
      largest;
  a.search = search / per_unit / static_cast<double>(s.learning_rates);
  a.train = (1 - evaluated) * train / per_unit * n / each;
  a.noise = noise / per_unit / noise_trainings;
  return a;
}

bool enough(const CompareSettings& s, const std::vector<Calibration>& all, const Amounts& a) {
  return std::all_of(all.begin(), all.end(), [&](const Calibration& c) { return train_steps(s, c, a) >= least_steps; });
}
}  // namespace

Amounts share_out(const CompareSettings& s, const std::vector<Candidate>& candidates,
                  const std::vector<Calibration>& all, const Parts& parts, double spent) {
  check_parameters(s, candidates, all);
  CompareSettings left = s;
  left.budget -= spent;
  if (left.budget > 0)
    if (const Amounts a = amounts_for(left, all, parts); enough(left, all, a)) return a;
  left.budget = std::max(left.budget, 1.0);
  constexpr double year = 366 * 86400.0;
  do left.budget *= 1.1;
  while (!enough(left, all, amounts_for(left, all, parts)) && left.budget < year);
  fail(ErrorCode::config, "the budget is too small for ", all.size(), " candidates of this size: ", least_steps,
       " steps for each training are the least that says anything; --budget ", rounded_up(1.05 * left.budget + spent),
       " would do here, or fewer --candidates, or a smaller --size");
}

void check_added(const CompareSettings& s, const std::vector<Candidate>& candidates,
                 const std::vector<Calibration>& all, const Amounts& a) {
  check_parameters(s, candidates, all);
  for (size_t c = 0; c < all.size(); ++c)
    require(enough(s, {all[c]}, a), ErrorCode::config, candidates[c].name,
            " is too slow for what the candidates of this comparison get each: fewer than ", least_steps,
            " steps; compare it in another folder (--out) with a larger --budget");
}

double expected_seconds(const CompareSettings& s, const Calibration& c, const Amounts& a) {
  const auto steps = [&](double amount) { return static_cast<double>(steps_for(s, c, amount)) * c.step_seconds; };
  return static_cast<double>(a.search > 0 ? s.learning_rates : 0) * steps(a.search) +
         static_cast<double>(s.seeds * train_steps(s, c, a)) * c.step_seconds + noise_trainings * steps(a.noise) +
         measure_seconds(s, c, a) + trainings(s) * start_steps * c.step_seconds;
}

}  // namespace statera
