#include "lab/compare/compare.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <limits>
#include <numbers>

#include "core/check.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "lab/baselines.hpp"
#include "lab/compare/findings.hpp"
#include "lab/compare/plan.hpp"
#include "lab/compare/rates.hpp"
#include "lab/compare/store.hpp"
#include "lab/compare/trial.hpp"
#include "lab/measure/by_position.hpp"
#include "lab/measure/contexts.hpp"
#include "lab/measure/filler.hpp"
#include "lab/measure/recall.hpp"
#include "lab/measure/stream_cost.hpp"
#include "lab/training_data.hpp"
#include "statera/model.hpp"
#include "text/quantity.hpp"
#include "train/forecast.hpp"

namespace statera {

namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Stopped {};

// The folder of a trial, once its value is kept; what a trial that was cut left there stays.
struct RemovedAtEnd {
  std::string folder;
  int uncaught = std::uncaught_exceptions();
  ~RemovedAtEnd() {
    std::error_code ignored;
    if (std::uncaught_exceptions() == uncaught) fs::remove_all(folder, ignored);
  }
};

std::string store_path(const std::string& out) { return out + "/compare.sqlite"; }

std::string short_name(const std::string& path) {
  const std::string name = fs::path(path).lexically_normal().filename().string();
  return name.empty() ? path : name;
}

// A candidate and what is fixed about it.
struct Entry {
  Candidate candidate;
  Calibration costs;
};

class Comparison {
 public:
  Comparison(const ByteSource& source, const CompareSettings& settings, const Device& device, const CompareRun& run)
      : source_(source), settings_(settings), device_(device), run_(run), parts_(cut(source, settings)), store_(store_path(run.out)) {}

  Json go(const std::vector<Candidate>& wanted) {
    bool complete = true;
    agree();
    try {
      enter(wanted);
      compare_baselines();
      for (const Entry& entry : entries_) search(entry);
      for (const Entry& entry : entries_)
        for (int64_t seed = 1; seed <= settings_.seeds; ++seed) train_and_judge(entry, seed);
      for (const Entry& entry : entries_) noise(entry);
      for (const Entry& entry : entries_) measure(entry);
      measure_speed();
    } catch (const Stopped&) {
      complete = false;
    }
    Json report = findings({source_, parts_, settings_, amounts_, store_, device_, run_}, complete);
    write_file(run_.out + "/report.json", report.dump(1) + "\n");
    point_at_winner(report.at("recommendation").value("winner", ""));
    return report;
  }

 private:
  void go_on() const {
    if (run_.stop && run_.stop()) throw Stopped();
  }
  void note(const std::string& line) const {
    if (run_.note) run_.note(line);
  }

  // OUT/winner is a link to the model that is recommended, if one is.
  void point_at_winner(const std::string& name) const {
    const std::string link = run_.out + "/winner";
    std::error_code error;
    fs::remove(link, error);
    if (name.empty()) return;
    fs::create_directory_symlink("models/" + name, link, error);
    if (error) note("cannot make the link " + link + ": " + error.message() + "; the winner is in " + run_.out + "/models/" + name);
  }

  // The folder's data and settings are this call's, or the folder is new.
  void agree() {
    if (const auto kept = store_.fact("data"))
      require(*kept == fingerprint_text(), ErrorCode::config, run_.out, " holds a comparison on other data (", store_.fact("data_name").value_or("?"),
              "); choose another folder with --out");
    if (const auto kept = store_.fact("settings")) {
      CompareSettings before;
      read_fields({*kept, store_path(run_.out)}, before);
      const std::vector<std::string> differ = differing_fields(before, settings_);
      require(differ.empty(), ErrorCode::config, run_.out, " holds a comparison with other settings (", differ.empty() ? "" : differ.front(),
              " now); choose another folder with --out");
    }
  }

  // What later calls must agree with; kept once there is a plan, so that a call that failed before binds nobody.
  void keep_terms(const Amounts& amounts) {
    store_.keep_fact("data", fingerprint_text());
    store_.keep_fact("data_name", short_name(source_.name()));
    store_.keep_fact("settings", write_fields(settings_));
    store_.keep_fact("amounts", write_fields(amounts));
  }
  std::string fingerprint_text() const { return std::to_string(source_.bytes()) + " bytes, " + std::to_string(fingerprint(source_)); }

  // Known candidates from the store, then the new ones of `wanted`, calibrated.
  void enter(const std::vector<Candidate>& wanted) {
    for (const auto& [name, value] : store_.candidates()) {
      const Json json = parse_ordered_json(value, store_path(run_.out));
      Entry entry{{name, ModelConfig::parse(json.at("config").dump(), name)}, {}};
      entry.candidate.config.where = json.at("where");
      read_fields({json.at("costs").dump(), store_path(run_.out)}, entry.costs);
      entries_.push_back(std::move(entry));
    }
    std::vector<Candidate> fresh;
    for (const Candidate& candidate : wanted) {
      const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.candidate.name == candidate.name; });
      if (known == entries_.end()) fresh.push_back(candidate);
      else
        require(known->candidate.config.json() == candidate.config.json(), ErrorCode::config, run_.out, " has another candidate called '", candidate.name,
                "'; rename the file, or choose another folder with --out");
    }
    if (const auto kept = store_.fact("amounts")) read_fields({*kept, store_path(run_.out)}, amounts_);
    if (!fresh.empty()) add(std::move(fresh));
  }

  void add(std::vector<Candidate> fresh) {
    note("calibrating " + std::to_string(fresh.size()) + (fresh.size() == 1 ? " candidate" : " candidates") + " in turn");
    const bool first = entries_.empty();
    // An old candidate runs along, so that a machine that is busier now than then favours nobody.
    std::vector<Candidate> timed = fresh;
    if (!first) timed.push_back(entries_.front().candidate);
    const double seconds = std::clamp(0.03 * settings_.budget, 0.2, 30.0);
    std::vector<Calibration> costs = calibrate(timed, settings_, parts_, device_, seconds, run_.stop);
    go_on();
    if (first) {
      amounts_ = share_out(settings_, fresh, costs, parts_);
      keep_terms(amounts_);
    } else {
      check_added(settings_, timed, costs, amounts_);
      const double then = entries_.front().costs.step_seconds / costs.back().step_seconds;
      for (Calibration& c : costs)
        for (double* seconds_of : {&c.step_seconds, &c.evaluate_seconds, &c.prefill_seconds}) *seconds_of *= then;
    }
    for (size_t i = 0; i < fresh.size(); ++i) {
      const Json value = {{"config", Json::parse(fresh[i].config.json())}, {"where", fresh[i].config.where}, {"layers", fresh[i].config.layers},
                          {"costs", Json::parse(write_fields(costs[i]))}};
      store_.keep_candidate(fresh[i].name, value.dump(-1, ' ', false, Json::error_handler_t::replace));  // a path need not be UTF-8
      entries_.push_back({std::move(fresh[i]), costs[i]});
    }
  }

  void compare_baselines() {
    if (store_.fact("baselines")) return;
    note("n-gram models and xz");
    const int64_t all = source_.bytes();
    const Baselines b = baselines(source_.part(0, all - parts_.held_out.bytes()), parts_.held_out.part(0, amounts_.judged_bytes), [this] { go_on(); });
    Json rows = Json::array();
    for (const Baseline& row : b.rows) rows.push_back({{"name", row.name}, {"bits_per_byte", row.bits_per_byte}});
    store_.keep_fact("baselines", Json({{"rows", rows}, {"note", b.note}}).dump());
    go_on();
  }

  TrainOptions options(const Entry& entry, double amount, float lr, int64_t seed) const {
    TrainOptions o{.steps = steps_for(settings_, entry.costs, amount), .batch = settings_.batch, .length = settings_.length, .lr = lr,
                   .weight_decay = settings_.weight_decay, .dropout = settings_.dropout, .seed = seed, .precision = settings_.precision};
    o.evaluate_every = std::max<int64_t>(1, (o.steps + evaluations - 1) / evaluations);
    o.evaluate_bytes = o.final_bytes = amounts_.validation_bytes;
    return o;
  }

  std::optional<Json> kept(const Entry& entry, const std::string& kind, const std::string& variant) const {
    const auto value = store_.trial(entry.candidate.name, kind, variant);
    return value ? std::optional(parse_ordered_json(*value, store_path(run_.out))) : std::nullopt;
  }
  void keep(const Entry& entry, const std::string& kind, const std::string& variant, const Json& value) {
    store_.keep_trial(entry.candidate.name, kind, variant, value.dump());
  }

  // Runs the trial and keeps its value, once.
  Json run_once(const Entry& entry, const std::string& kind, const std::string& variant, Model& model, const TrainingData& data, Trial trial) {
    note("[" + std::to_string(trials_done() + 1) + "/" + std::to_string(trials_in_all()) + "] " + entry.candidate.name + ": " + kind + " " + variant + ", " +
         std::to_string(trial.options.steps) + " steps");
    trial.stop = run_.stop;
    trial.progress = run_.progress;
    const std::optional<Json> value = run_trial(model, data, trial);
    if (!value) throw Stopped();
    return *value;
  }

  size_t trials_done() const {
    size_t done = 0;
    for (const Entry& entry : entries_)
      for (const char* kind : {"search", "train", "noise"}) done += store_.trials(entry.candidate.name, kind).size();
    return done;
  }
  size_t trials_in_all() const {
    return entries_.size() * static_cast<size_t>((searches(settings_) ? settings_.learning_rates : 0) + settings_.seeds + (amounts_.noise > 0 ? 3 : 0));
  }

  Model new_model(const Entry& entry, int64_t seed) const {
    Model model(entry.candidate.config, device_);
    model.init(static_cast<uint64_t>(seed));
    return model;
  }

  static double usual_rate(const Entry& entry) { return usual_options(entry.costs.parameters).lr; }

  // The trials of learning rates so far, in ascending order.
  std::vector<TriedRate> tried(const Entry& entry) const {
    std::vector<TriedRate> all;
    for (const Json& trial : searched(store_, entry.candidate.name))
      all.push_back({trial.at("lr"), trial.contains("error") ? std::numeric_limits<double>::infinity() : trial.at("bits_per_byte").get<double>()});
    return all;
  }

  // What is tried depends on nothing but what was found, so a search that was cut goes on as it would have.
  void search(const Entry& entry) {
    std::error_code ignored;
    for (const TriedRate& done : tried(entry)) fs::remove_all(trial_folder(entry, "lr-" + number_text(done.lr)), ignored);  // a killed run may have left it
    for (std::vector<TriedRate> before = tried(entry); searches(settings_) && std::ssize(before) < settings_.learning_rates; before = tried(entry)) {
      const auto lr = static_cast<float>(next_rate(before, usual_rate(entry)));
      const std::string variant = "lr " + number_text(lr), folder = trial_folder(entry, "lr-" + number_text(lr));
      if (kept(entry, "search", variant)) return;  // nothing is left between
      const RemovedAtEnd removed{folder};
      TrainOptions o = options(entry, amounts_.search, lr, 1);
      o.evaluate_every = o.steps;
      ByteTraining data(parts_.train, parts_.validation, o);
      Model model = new_model(entry, 1);
      keep(entry, "search", variant, run_once(entry, "search", variant, model, data.data(), {.folder = folder, .options = o}));
    }
  }

  // NaN if every rate diverged.
  float best_rate(const Entry& entry) const {
    if (!searches(settings_)) return static_cast<float>(next_rate({}, usual_rate(entry)));
    double best = std::numeric_limits<double>::infinity();
    float lr = std::numeric_limits<float>::quiet_NaN();
    for (const TriedRate& trial : tried(entry))
      if (trial.bits_per_byte < best) {
        best = trial.bits_per_byte;
        lr = static_cast<float>(trial.lr);
      }
    return lr;
  }

  std::string model_folder(const Entry& entry, int64_t seed) const {
    return run_.out + "/models/" + entry.candidate.name + (seed > 1 ? "/seed-" + std::to_string(seed) : "");
  }
  std::string trial_folder(const Entry& entry, const std::string& variant) const { return run_.out + "/trials/" + entry.candidate.name + "/" + variant; }

  void train_and_judge(const Entry& entry, int64_t seed) {
    const std::string variant = "seed " + std::to_string(seed), folder = model_folder(entry, seed);
    const float lr = best_rate(entry);
    if (std::isnan(lr)) return;
    std::optional<Json> value = kept(entry, "train", variant);
    if (!value || (!value->contains("error") && !fs::exists(folder + "/model.safetensors"))) {
      const TrainOptions o = options(entry, amounts_.train, lr, seed);
      ByteTraining data(parts_.train, parts_.validation, o);
      Model model = new_model(entry, seed);
      value = run_once(entry, "train", variant, model, data.data(), {.folder = folder, .options = o});
      const double weights = static_cast<double>(model.parameter_count()) * static_cast<double>(size_of(model.dtype()));
      value->emplace("memory", Json({{"train_bytes", training_bytes(model, data.data(), o)}, {"weight_bytes", weights}}));
      keep(entry, "train", variant, *value);
    }
    if (value->contains("error") || !store_.costs(entry.candidate.name, seed).empty()) return;
    note(entry.candidate.name + ": held-out text, seed " + std::to_string(seed));
    const Model model = Model::load(folder, device_);
    const std::vector<float> nats = stream_cost(model, parts_.held_out, amounts_.judged_bytes, run_.stop);
    go_on();
    store_.keep_costs(entry.candidate.name, seed, nats);
  }

  bool trained(const Entry& entry) const {
    const auto value = kept(entry, "train", "seed 1");
    return value && !value->contains("error");
  }

  // The trained model goes on for a while with fillers in its stream, so that they are nothing new to it when they are counted. Without
  // fillers it goes on as long, so that what is left between them is the fillers'.
  void noise(const Entry& entry) {
    if (!trained(entry) || amounts_.noise == 0) return;
    for (const int64_t growth : {1, 2, 4}) {
      const std::string variant = "growth " + std::to_string(growth), folder = trial_folder(entry, "growth-" + std::to_string(growth));
      const RemovedAtEnd removed{folder};
      if (kept(entry, "noise", variant)) continue;
      Model model = Model::load(model_folder(entry, 1), device_, {.training = true});
      // The same bytes in a window, so more rows in it and fewer windows.
      TrainOptions o = options(entry, amounts_.noise, best_rate(entry) / 2, 1);
      o.length = growth * settings_.length;
      o.batch = std::max<int64_t>(1, settings_.batch / growth);
      o.steps = std::max<int64_t>(1, o.steps * settings_.batch * settings_.length / (o.batch * o.length));
      o.evaluate_every = o.steps;
      FillerTraining data(parts_.train, parts_.validation, o, growth);
      const Json value = run_once(entry, "noise", variant, model, data.data(), {.folder = folder, .options = o});
      if (value.contains("error")) {
        keep(entry, "noise", variant, value);
        continue;
      }
      const double nats = noise_cost(model, parts_.held_out, growth, settings_.length, amounts_.noise_bytes, run_.stop);
      go_on();
      keep(entry, "noise", variant, {{"growth", growth}, {"bits_per_byte", nats / std::numbers::ln2}});
    }
  }

  void measure(const Entry& entry) {
    if (!trained(entry)) return;
    std::optional<Model> model;
    const auto once = [&](const char* kind, const auto& measured) {
      if (kept(entry, kind, "seed 1")) return;
      if (!model) model.emplace(Model::load(model_folder(entry, 1), device_));
      note(entry.candidate.name + ": " + kind);
      const Json value = measured();
      go_on();
      keep(entry, kind, "seed 1", value);
    };
    once("bits by position", [&] {
      Json rows = Json::array();
      for (const PositionCost& p : by_position(*model, parts_.held_out, longest_window, amounts_.position_bytes, run_.stop))
        rows.push_back({{"from", p.from}, {"to", p.to}, {"bits_per_byte", p.bits_per_byte}, {"bytes", p.bytes}});
      return rows;
    });
    once("recall", [&] {
      Json rows = Json::array();
      for (const RecallGain& g : recall(*model, parts_.held_out, amounts_.passages, run_.stop))
        rows.push_back({{"distance", g.distance}, {"gain", g.gain}, {"standard_error", g.standard_error}});
      return rows;
    });
  }

  // All trained candidates in turn in one run, anew if one has joined.
  void measure_speed() {
    std::vector<const Entry*> done;
    for (const Entry& entry : entries_)
      if (trained(entry)) done.push_back(&entry);
    const bool all = std::all_of(done.begin(), done.end(), [&](const Entry* e) { return kept(*e, "speed", "seed 1").has_value(); });
    if (all) return;
    note("speed and state by context, in turn");
    std::vector<Model> models;
    for (const Entry* entry : done) models.push_back(Model::load(model_folder(*entry, 1), device_));
    std::vector<const Model*> pointers;
    for (const Model& model : models) pointers.push_back(&model);
    const auto contexts = step_costs(pointers, run_.stop);
    const auto speeds = stream_speeds(pointers, parts_.held_out, run_.stop);
    go_on();
    for (size_t i = 0; i < done.size(); ++i) {
      Json rows = Json::array();
      for (const ContextCost& c : contexts[i]) rows.push_back({{"context", c.context}, {"step_seconds", c.step_seconds}, {"state_bytes", c.state_bytes}});
      keep(*done[i], "speed", "seed 1",
           {{"prefill_bytes_per_second", speeds[i].prefill_bytes_per_second}, {"step_bytes_per_second", speeds[i].step_bytes_per_second}, {"contexts", rows}});
    }
  }

  static constexpr int64_t longest_window = 16384;

  const ByteSource& source_;
  CompareSettings settings_;
  Device device_;
  const CompareRun& run_;
  Parts parts_;
  Store store_;
  std::vector<Entry> entries_;
  Amounts amounts_;
};
}  // namespace

bool saved_settings(const std::string& out, CompareSettings& settings) {
  if (!fs::exists(store_path(out))) return false;
  const Store store(store_path(out));
  const auto kept = store.fact("settings");
  if (kept) read_fields({*kept, store_path(out)}, settings);
  return kept.has_value();
}

Json compare(const ByteSource& source, const std::vector<Candidate>& candidates, const CompareSettings& settings, const Device& device,
             const CompareRun& run) {
  settings.check();
  std::error_code error;
  fs::create_directories(run.out, error);
  require(!error, ErrorCode::io, "cannot make the folder ", run.out, ": ", error.message(), "; choose another one with --out");
  try {
    return Comparison(source, settings, device, run).go(candidates);
  } catch (const nlohmann::json::exception& damaged) {
    fail(ErrorCode::io, store_path(run.out), " is damaged (", damaged.what(), "); choose another folder with --out");
  }
}

}  // namespace statera
