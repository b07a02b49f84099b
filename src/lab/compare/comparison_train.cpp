// Trainings: the search for learning rates, the trainings that are judged, second seeds, and further training with
// fillers.
#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <limits>
#include <numbers>
#include <utility>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "lab/compare/comparison.hpp"
#include "lab/compare/inner_ratio.hpp"
#include "lab/compare/known.hpp"
#include "lab/compare/rate_priors.hpp"
#include "lab/measure/filler.hpp"
#include "lab/measure/stream_cost.hpp"
#include "lab/report/keys.hpp"
#include "lab/timing.hpp"
#include "lab/training_data.hpp"
#include "statera/tokenizer.hpp"
#include "text/quantity.hpp"
#include "train/checkpoint.hpp"
#include "train/forecast.hpp"

namespace statera {

namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Removes a folder. What cannot be removed takes room on the disk; the next call tries again.
void remove_trial(const OutputFolder& out, const std::string& folder) {
  try {
    out.check_place();
    remove_run(folder);
  } catch (...) {  // ignores every exception, since a destructor calls this
  }
}

// The folder of a trial, which is removed once its result is stored. After an interruption it stays.
struct RemovedAtEnd {
  const OutputFolder& out;
  std::string folder;
  int uncaught = std::uncaught_exceptions();
  ~RemovedAtEnd() {
    if (std::uncaught_exceptions() == uncaught) remove_trial(out, folder);
  }
};

}  // namespace

std::optional<Json> Comparison::kept(const Entry& entry, const std::string& kind, const std::string& variant) const {
  const auto value = store_.trial(entry.candidate.name, kind, variant);
  return value ? std::optional(parse_ordered_json(*value, run_.out + "/compare.sqlite")) : std::nullopt;
}

void Comparison::keep(const Entry& entry, const std::string& kind, const std::string& variant, const Json& value) {
  store_.keep_trial(entry.candidate.name, kind, variant, json_text(value));
}

TrainOptions Comparison::options(const Entry& entry, int64_t steps, float lr, int64_t seed) const {
  TrainOptions o{.steps = steps,
                 .batch = entry.candidate.batch,
                 .length = entry.candidate.ids(),
                 .lr = lr,
                 .weight_decay = settings_.weight_decay,
                 .dropout = settings_.dropout,
                 .seed = seed,
                 .precision = settings_.precision};
  o.evaluate_every = std::max<int64_t>(1, (o.steps + evaluations - 1) / evaluations);
  // tokens are evaluated on all of validation()
  const int64_t bytes =
      entry.candidate.parts->train.units().file().empty() ? amounts_.validation_bytes : parts_.train.bytes();
  o.evaluate_bytes = o.final_bytes = bytes;
  return o;
}

// Calibrated seconds of a training; another one of as many bytes takes about as long.
double Comparison::planned_seconds(const Entry& entry, const TrainOptions& o) const {
  const Calibration& c = entry.costs;
  const double batches = static_cast<double>(o.batch * o.length) / static_cast<double>(c.positions),
               evaluated = std::max(1.0, static_cast<double>(amounts_.validation_bytes) / c.bytes()),
               times = static_cast<double>(std::min(o.steps, evaluations) + 1);
  return static_cast<double>(o.steps) * batches * c.step_seconds + times * evaluated * c.evaluate_seconds;
}

void Comparison::say_if_slower(double planned, double share, double taken) {
  pace_.add(share * planned, taken);
  const double left = seconds_left() - planned;  // the result of this training is not in the store yet
  const auto line = pace_.slower(std::max(0.0, left), run_.spent + clock_seconds() - begun_,
                                 planned_ ? std::optional(settings_.budget) : std::nullopt);
  if (!line) return;
  note(*line);
  if (run_.warn) run_.warn(*line);
}

// Runs the trial and returns its result.
Json Comparison::run_once(const Entry& entry, const std::string& kind, const std::string& variant, Model& model,
                          const TrainingData& data, Trial trial) {
  note(entry.candidate.name + ": " + kind + " " + variant + ", " + std::to_string(trial.options.steps) + " steps");
  check_apart(source_, trial.folder, run_files());
  trial.stop = run_.stop;
  double validation = 0, share = 1;  // the part that is done now: a resumed trial has less to do
  bool begun = false;
  trial.progress = [&](const TrainProgress& p) {
    if (!std::exchange(begun, true)) share = 1 - static_cast<double>(p.step - 1) / static_cast<double>(p.steps);
    if (!std::isnan(p.held_out)) validation = p.held_out;
    show(entry, kind + ", " + variant, static_cast<double>(p.step) / static_cast<double>(p.steps),
         kind == "train" ? validation : 0);
  };
  const double begin = clock_seconds();
  const std::optional<Json> value = run_trial(model, data, trial);
  if (!value) throw Stopped();
  say_if_slower(planned_seconds(entry, trial.options), share, clock_seconds() - begin);
  note(entry.candidate.name + ": " + kind + " " + variant +
       (value->contains(key::error)
            ? " failed: " + value->at(key::error).get<std::string>()
            : ": " + number_text(value->at(key::bits_per_byte)) + " bits per byte on validation text"));
  return *value;
}

// The text that is evaluated while a candidate trains: the same bytes whatever it reads.
IdSource Comparison::validation(const Entry& entry) const {
  const UnitParts& parts = *entry.candidate.parts;
  if (parts.train.units().file().empty()) return parts.validation;
  return {evaluated(parts_.validation, entry.candidate, amounts_.validation_bytes), parts.train.shared_units()};
}

Model Comparison::new_model(const Entry& entry, int64_t seed) const {
  Model model(entry.candidate.config, device_);
  model.init(static_cast<uint64_t>(seed));
  model.set_units(entry.candidate.parts->train.shared_units());
  return model;
}

// The finished trials of learning rates, from the lowest rate to the highest.
std::vector<TriedRate> Comparison::tried(const Entry& entry) const {
  std::vector<TriedRate> all;
  for (const Json& trial : searched(store_, entry.candidate.name)) {
    require(trial.at(key::lr).is_number() && trial.at(key::lr) > 0, ErrorCode::io, run_.out,
            "/compare.sqlite is damaged (", in_quotes(entry.candidate.name), " has a trial with lr ",
            trial.at(key::lr).dump(), ", expected a number above 0); choose another folder with --out");
    all.push_back({trial.at(key::lr), trial.contains(key::error) ? std::numeric_limits<double>::infinity()
                                                                 : trial.at(key::bits_per_byte).get<double>()});
  }
  return all;
}

RatePrior Comparison::prior(const Entry& entry) const {
  return rate_prior(entry.candidate.config, train_steps(settings_, entry.costs, amounts_),
                    steps_for(settings_, entry.costs, amounts_.search), std::llround(entry.costs.bytes()));
}

RateChoice Comparison::rate(const Entry& entry) const {
  return choose_rate(tried(entry), prior(entry), counted(store_, 1));
}

// The next rate depends only on the results so far, so a search that was cut continues as it would have.
void Comparison::search(const Entry& entry) {
  // a killed run may have left this folder
  for (const TriedRate& done : tried(entry)) remove_trial(folder_, trial_folder(entry, "lr-" + number_text(done.lr)));
  for (std::vector<TriedRate> before = tried(entry);
       amounts_.search > 0 && std::ssize(before) < settings_.learning_rates; before = tried(entry)) {
    const auto lr = static_cast<float>(next_rate(before, prior(entry)));
    const std::string variant = "lr " + number_text(lr), folder = trial_folder(entry, "lr-" + number_text(lr));
    if (kept(entry, "search", variant)) return;  // no rate is left between those that were tried
    const RemovedAtEnd removed{folder_, folder};
    TrainOptions o = options(entry, steps_for(settings_, entry.costs, amounts_.search), lr, 1);
    o.evaluate_every = o.steps;
    BatchTraining data(entry.candidate.parts->train, validation(entry), o);
    Model model = new_model(entry, 1);
    keep(entry, "search", variant,
         run_once(entry, "search", variant, model, data.data(), {.folder = folder, .options = o}));
  }
}

std::string Comparison::model_folder(const Entry& entry, int64_t seed) const {
  folder_.check_place();
  return run_.out + "/models/" + entry.candidate.name + (seed > 1 ? "/seed-" + std::to_string(seed) : "");
}

std::string Comparison::trial_folder(const Entry& entry, const std::string& variant) const {
  folder_.check_place();
  return run_.out + "/trials/" + entry.candidate.name + "/" + variant;
}

Model Comparison::load_model(const Entry& entry, int64_t seed, bool training) const {
  const std::string folder = model_folder(entry, seed);
  const std::optional<Json> value = kept(entry, "train", "seed " + std::to_string(seed));
  Model model = Model::load(folder, device_, {.training = training, .weights = {}, .tokenizer = token_units});
  require(value && value->value("weights", "") == statera::fingerprint_text(model.fingerprint()), ErrorCode::io, folder,
          "/model.safetensors: is not the model that this comparison trained; put that one back, or remove this one "
          "and it is trained again");
  return model;
}

// What its inner stacks read, from the metrics of a training by a version that did not store it.
void Comparison::add_ratios(const Entry& entry, const std::string& variant, const std::string& folder, Json& value) {
  const std::string metrics = folder + "/metrics.jsonl";
  if (value.contains(key::error) || value.at(key::curve).empty() || value.at(key::curve).back().contains("ratios") ||
      !has_inner_stacks(entry.candidate.config) || !fs::exists(metrics))
    return;
  value[key::curve] = curve_of(metrics);
  keep(entry, "train", variant, value);
}

void Comparison::train_and_judge(const Entry& entry, int64_t seed) {
  const std::string variant = "seed " + std::to_string(seed), folder = model_folder(entry, seed);
  // Later seeds take the rate of the first one, which a version with other priors may have trained.
  const std::optional<Json> first = seed > 1 ? kept(entry, "train", "seed 1") : std::nullopt;
  const auto lr = static_cast<float>(first ? first->at(key::lr).get<double>() : rate(entry).lr);
  if (std::isnan(lr)) return;
  std::optional<Json> value = kept(entry, "train", variant);
  const bool lost = value && !value->contains(key::error) && !fs::exists(folder + "/model.safetensors");
  if (value && !lost) add_ratios(entry, variant, folder, *value);
  if (lost) remove_run(folder);  // its checkpoint may hold only the weights of its last step
  if (!value || lost) {
    const TrainOptions o = options(entry, train_steps(settings_, entry.costs, amounts_), lr, seed);
    BatchTraining data(entry.candidate.parts->train, validation(entry), o);
    Model model = new_model(entry, seed);
    value = run_once(entry, "train", variant, model, data.data(), {.folder = folder, .options = o});
    const double weights = static_cast<double>(model.parameter_count()) * static_cast<double>(size_of(model.dtype()));
    value->emplace(key::memory,
                   Json({{key::train_bytes, training_bytes(model, data.data(), o)}, {key::weight_bytes, weights}}));
    value->emplace("weights", statera::fingerprint_text(model.fingerprint()));
    store_.drop_costs(entry.candidate.name, seed);  // they belong to the weights that were there before
    keep(entry, "train", variant, *value);
  }
  if (value->contains(key::error)) return;
  // load it even if its costs are stored, since the report is about these weights
  const Model model = load_model(entry, seed);
  if (!store_.costs(entry.candidate.name, seed).empty()) return;
  note(entry.candidate.name + ": held-out text, seed " + std::to_string(seed));
  const std::vector<float> nats = stream_cost(model, parts_.held_out, amounts_.judged_bytes, run_.stop);
  go_on();
  store_.keep_costs(entry.candidate.name, seed, nats);
}

// Of the best two candidates, another training of both tells more than anything else: one lucky seed looks like a lead.
void Comparison::second_seeds() {
  if (amounts_.second_seeds == 0) return;
  for (const std::string& name : first_two(store_, settings_, amounts_)) {
    const auto entry =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.candidate.name == name; });
    if (store_.costs(name, 2).empty()) note(name + ": among the first two; once more with another seed");
    train_and_judge(*entry, 2);
  }
}

bool Comparison::trained(const Entry& entry) const {
  const auto value = kept(entry, "train", "seed 1");
  return value && !value->contains(key::error);
}

// The trained model trains on for a while with fillers in its stream, so that they are not new to it when it is judged.
// It trains as long on a stream without fillers, so that the difference between the two is due to the fillers.
void Comparison::noise(const Entry& entry) {
  if (!trained(entry) || amounts_.noise == 0) return;
  for (const int64_t growth : {1, 2, 4}) {
    const std::string variant = "growth " + std::to_string(growth),
                      folder = trial_folder(entry, "growth-" + std::to_string(growth));
    const RemovedAtEnd removed{folder_, folder};
    if (kept(entry, "noise", variant)) continue;
    Model model = load_model(entry, 1, true);
    // The same number of bytes per window, so more rows per window and fewer windows.
    TrainOptions o =
        options(entry, steps_for(settings_, entry.costs, amounts_.noise), static_cast<float>(rate(entry).lr) / 2, 1);
    o.length = growth * entry.candidate.ids();
    o.batch = std::max<int64_t>(1, entry.candidate.batch / growth);
    o.steps = std::max<int64_t>(1, o.steps * entry.candidate.positions() / (o.batch * o.length));
    o.evaluate_every = o.steps;
    FillerTraining data(entry.candidate.parts->train, entry.candidate.parts->validation, o, {.growth = growth});
    const Json value = run_once(entry, "noise", variant, model, data.data(), {.folder = folder, .options = o});
    if (value.contains(key::error)) {
      keep(entry, "noise", variant, value);
      continue;
    }
    const double nats = noise_cost(model, entry.candidate.parts->held_out, {.growth = growth}, entry.candidate.ids(),
                                   amounts_.noise_bytes, run_.stop);
    go_on();
    Json row = {{key::growth, growth}, {key::bits_per_byte, nats / std::numbers::ln2}};
    if (const Json& last = value.at(key::curve).back(); last.contains("ratios")) row["ratios"] = last.at("ratios");
    keep(entry, "noise", variant, row);
  }
}

}  // namespace statera
