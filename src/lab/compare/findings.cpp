#include "lab/compare/findings.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/check.hpp"
#include "core/machine.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "lab/compare/recommend.hpp"
#include "lab/measure/paired.hpp"
#include "lab/timing.hpp"
#include "models/language_model.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

constexpr int64_t block_bytes = 1024;     // of held-out text, for standard errors
constexpr int64_t compared_context = 16384;

Json parsed(const std::string& text) { return parse_ordered_json(text, "compare.sqlite", size_t{64} << 20); }

// What the store holds of one candidate.
struct Known {
  std::string name;
  Json value;                                  // config, layers, costs
  Calibration costs;
  std::vector<std::vector<float>> nats;        // [seeds][held-out bytes]; empty where it is not done
  Json trained;                                // of seed 1, or of the first seed that failed; null
  bool done() const { return !nats.empty() && std::all_of(nats.begin(), nats.end(), [](const auto& n) { return !n.empty(); }); }
};

double bits(const std::vector<float>& nats) {
  double sum = 0;
  for (float n : nats) sum += static_cast<double>(n);
  return sum / static_cast<double>(nats.size()) / std::numbers::ln2;
}

double mean_bits(const Known& known) {
  double sum = 0;
  for (const auto& nats : known.nats) sum += bits(nats);
  return sum / static_cast<double>(known.nats.size());
}

std::vector<Known> all_known(const FindingsFrom& from) {
  std::vector<Known> all;
  for (const auto& [name, value] : from.store.candidates()) {
    Known known{.name = name, .value = parsed(value), .costs = {}, .nats = {}, .trained = {}};
    read_fields({known.value.at("costs").dump(), "compare.sqlite"}, known.costs);
    for (int64_t seed = 1; seed <= from.settings.seeds; ++seed) known.nats.push_back(from.store.costs(name, seed));
    for (int64_t seed = from.settings.seeds; seed >= 1; --seed)
      if (const auto trial = from.store.trial(name, "train", "seed " + std::to_string(seed)))
        if (Json value = parsed(*trial); seed == 1 ? !known.trained.is_object() : value.contains("error")) known.trained = std::move(value);
    for (const auto& nats : known.nats)
      require(nats.empty() || static_cast<int64_t>(nats.size()) == from.amounts.judged_bytes, ErrorCode::io, "compare.sqlite: the costs of ", name, " are ",
              nats.size(), ", not ", from.amounts.judged_bytes, "; the file is damaged, choose another folder with --out");
    all.push_back(std::move(known));
  }
  return all;
}

struct Behind {
  double bits = 0, error = 0;
  std::optional<double> seed_error;
};

// How far `one` is behind `best`: blocks of the text are paired, and seeds where there are several.
Behind behind(const Known& one, const Known& best) {
  const auto over_seeds = [](const Known& known) {
    std::vector<float> mean(known.nats.front().size());
    for (const auto& nats : known.nats)
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += nats[i] / static_cast<float>(known.nats.size());
    return mean;
  };
  const PairedDifference d = paired_difference(over_seeds(one), over_seeds(best), block_bytes);
  Behind result{.bits = d.mean, .error = d.standard_error, .seed_error = {}};
  if (one.nats.size() > 1) {
    std::vector<double> differences;
    for (size_t s = 0; s < one.nats.size(); ++s) differences.push_back(bits(one.nats[s]) - bits(best.nats[s]));
    result.seed_error = standard_error(differences);
  }
  return result;
}

Json curve(const FindingsFrom& from, const Known& known) {
  Json rows = Json::array();
  for (const Json& point : known.trained.at("curve")) {
    const double step = point.at("step");
    rows.push_back({{"step", point.at("step")}, {"train_bytes", step * static_cast<double>(from.settings.batch * from.settings.length)},
                    {"seconds", step * known.costs.step_seconds}, {"flops", step * known.costs.step_flops}, {"bits_per_byte", point.at("bits_per_byte")}});
  }
  return rows;
}

// Takes the measurements of a candidate over from the store.
void add_measured(const FindingsFrom& from, const Known& known, Json& json) {
  const auto measured = [&](const char* kind) {
    const auto value = from.store.trial(known.name, kind, "seed 1");
    return value ? parsed(*value) : Json();
  };
  if (Json rows = measured("bits by position"); !rows.is_null()) json["by_position"] = std::move(rows);
  if (Json rows = measured("recall"); !rows.is_null()) json["recall"] = std::move(rows);
  const Json speed = measured("speed");
  json["speed"] = {{"train_bytes_per_second", static_cast<double>(from.settings.batch * from.settings.length) / known.costs.step_seconds}};
  if (!speed.is_null()) {
    for (const char* key : {"prefill_bytes_per_second", "step_bytes_per_second"}) json["speed"][key] = speed.at(key);
    json["contexts"] = speed.at("contexts");
  }
  const ModelConfig config = ModelConfig::parse(known.value.at("config").dump(), known.name);
  const double step_flops = LanguageModel(config).cost(1, from.settings.length).step_flops;
  for (const char* growth : {"growth 1", "growth 2", "growth 4"}) {
    const auto value = from.store.trial(known.name, "noise", growth);
    if (!value) continue;
    Json row = parsed(*value);
    if (row.contains("error")) continue;
    const double times = row.at("growth");
    row["flops_per_byte"] = times * step_flops;
    if (!speed.is_null()) row["step_seconds_per_byte"] = times / speed.at("step_bytes_per_second").get<double>();
    json["noise"].push_back(row);
  }
  if (known.trained.contains("memory")) json["memory"] = known.trained.at("memory");
}

Json candidate_json(const FindingsFrom& from, const Known& known, const Known* best) {
  const double positions = static_cast<double>(from.settings.batch * from.settings.length);
  Json json = {{"name", known.name}, {"config", known.value.at("where")}, {"layers", known.value.at("layers")},
               {"status", known.done() ? "done" : "stopped"}, {"parameters", known.costs.parameters},
               {"training_flops_per_byte", known.costs.step_flops / positions}};
  const std::vector<Json> rates = searched(from.store, known.name);
  bool diverged = !rates.empty() && static_cast<int64_t>(rates.size()) == from.settings.learning_rates;
  json["learning_rates"] = Json::array();
  for (const Json& trial : rates) {
    Json rate = {{"lr", trial.at("lr")}};
    for (const char* key : {"bits_per_byte", "error"})
      if (trial.contains(key)) rate[key] = trial.at(key);
    json["learning_rates"].push_back(rate);
    diverged = diverged && trial.contains("error");
  }
  const Json& trained = known.trained;
  if (diverged || (!trained.is_null() && trained.contains("error"))) {
    json["status"] = "failed";
    json["error"] = diverged ? rates.front().at("error") : trained.at("error");
  }
  if (trained.is_null() || trained.contains("error")) return json;
  const double steps = trained.at("steps");
  json["lr"] = trained.at("lr");
  json["steps"] = trained.at("steps");
  json["train_bytes"] = steps * positions;
  json["train_seconds"] = steps * known.costs.step_seconds;
  json["train_flops"] = steps * known.costs.step_flops;
  json["seeds"] = Json::array();
  for (size_t s = 0; s < known.nats.size(); ++s)
    if (!known.nats[s].empty()) json["seeds"].push_back({{"seed", s + 1}, {"bits_per_byte", bits(known.nats[s])}});
  if (known.done()) json["bits_per_byte"] = mean_bits(known);
  if (known.done() && best && best != &known) {
    const Behind d = behind(known, *best);
    json["difference"] = {{"from", best->name}, {"bits_per_byte", d.bits}, {"standard_error", d.error}};
    if (d.seed_error) json["difference"]["seed_error"] = *d.seed_error;
  }
  json["curve"] = curve(from, known);
  add_measured(from, known, json);
  return json;
}

// Never in minutes.
std::string plain_seconds(double seconds) {
  char text[48];
  std::snprintf(text, sizeof text, seconds < 100 ? "%.1f s" : "%.0f s", seconds);
  return text;
}

std::string significant(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

Json terms(const FindingsFrom& from, const std::vector<Known>& all) {
  const CompareSettings& s = from.settings;
  const Amounts& a = from.amounts;
  if (all.empty()) return {{"equal", "nothing was trained yet"}, {"not_equal", "-"}};
  double few = INFINITY, many = 0;
  for (const Known& known : all) {
    few = std::min(few, static_cast<double>(known.costs.parameters));
    many = std::max(many, static_cast<double>(known.costs.parameters));
  }
  const std::string sizes = "; size: " + significant(few / 1e6) + " to " + significant(many / 1e6) + " million parameters";
  std::string equal, rest;
  if (s.match == "time") {
    equal = "calibrated time: " + plain_seconds(a.train) + " a training, " + plain_seconds(a.search) + " a learning rate";
    rest = "steps, bytes read and FLOPs" + sizes;
  } else if (s.match == "flops") {
    equal = "training FLOPs: " + significant(a.train) + " a training, " + significant(a.search) + " a learning rate";
    rest = "steps, bytes read and time" + sizes;
  } else {
    equal = "parameters (within 3 %) and steps: " + significant(a.train) + " a training, " + significant(a.search) + " a learning rate";
    rest = "FLOPs and time";
  }
  equal += "; the data; batches of " + std::to_string(s.batch) + " x " + std::to_string(s.length) + " bytes; " + std::to_string(s.learning_rates) + " learning rates tried by each" +
           (s.precision == "fp32" ? "" : "; training in " + s.precision) +
           (s.weight_decay == CompareSettings().weight_decay ? "" : "; weight decay " + number_text(s.weight_decay)) +
           (s.dropout == 0 ? "" : "; dropout " + number_text(s.dropout));
  return {{"equal", equal}, {"not_equal", rest}};
}

double at_context(const Json& candidate, const char* key) {
  if (candidate.contains("contexts"))
    for (const Json& row : candidate.at("contexts"))
      if (row.at("context") == compared_context) return row.at(key);
  return 0;
}

Recommendation recommended(const FindingsFrom& from, const Json& report, bool complete) {
  std::vector<Contender> contenders;
  for (const Json& c : report.at("candidates")) {
    if (c.at("status") != "done") continue;
    Contender one{.name = c.at("name"), .bits_per_byte = c.at("bits_per_byte"), .step_seconds = at_context(c, "step_seconds"),
                  .state_bytes = at_context(c, "state_bytes")};
    if (c.contains("difference")) {
      const Json& d = c.at("difference");
      one.behind = d.at("bits_per_byte");
      const double text = d.at("standard_error"), seeds = d.value("seed_error", 0.0);
      one.error = std::hypot(text, seeds);
      one.doubt = std::hypot(2 * text, from.settings.seeds > 1 ? errors_for_95_percent(from.settings.seeds) * seeds : 0);
    }
    contenders.push_back(one);
  }
  const std::string& match = from.settings.match;
  Circumstances c{.data = report.at("data").at("name"), .context = compared_context, .seeds = from.settings.seeds, .complete = complete};
  c.terms = match == "time" ? "equal time (" + plain_seconds(from.amounts.train) + " a training)" : match == "flops" ? "equal training FLOPs" : "equal parameters and steps";
  c.baseline_bits = std::numeric_limits<double>::infinity();
  for (const Json& row : report.at("baselines"))
    if (row.at("bits_per_byte") < c.baseline_bits) {
      c.best_baseline = row.at("name");
      c.baseline_bits = row.at("bits_per_byte");
    }
  return recommend(contenders, c);
}

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// The best learning rate at an end of those that were tried: a better one may lie beyond.
void note_rates(const Json& report, Json& lines) {
  std::vector<std::string> lowest, highest;
  for (const Json& c : report.at("candidates")) {
    const Json& rates = c.at("learning_rates");
    if (!c.contains("lr") || rates.size() < 3) continue;
    if (c.at("lr") == rates.front().at("lr")) lowest.push_back(c.at("name"));
    if (c.at("lr") == rates.back().at("lr")) highest.push_back(c.at("name"));
  }
  if (!lowest.empty()) lines.push_back(listed(lowest) + ": the lowest learning rate that was tried is the best; a lower one may be better");
  if (!highest.empty()) lines.push_back(listed(highest) + ": the highest learning rate that was tried is the best; a higher one may be better");
}

// Where a text is read many times, more time teaches the text and not its kind.
void note_passes(const CompareSettings& settings, const Json& report, Json& lines) {
  if (settings.dropout > 0) return;
  constexpr double many = 4;
  const double text = report.at("data").at("train_bytes");
  std::vector<std::string> names;
  double most = 0;
  for (const Json& c : report.at("candidates")) {
    const double passes = c.value("train_bytes", 0.0) / text;
    if (passes < many) continue;
    names.push_back(c.at("name"));
    most = std::max(most, passes);
  }
  if (names.empty()) return;
  char times[32];
  std::snprintf(times, sizeof times, "%.1f", most);
  lines.push_back(listed(names) + " read the training text up to " + times + " times: --dropout 0.1, in another --out, may do more than a larger --budget");
}

// What a reader should be careful about.
Json notes(const FindingsFrom& from, const Json& report, const std::string& baselines) {
  Json lines = Json::array();
  if (from.amounts.judged_bytes > 0 && from.amounts.judged_bytes < from.parts.held_out.bytes())
    lines.push_back("judged on the first " + std::to_string(from.amounts.judged_bytes) + " of " + std::to_string(from.parts.held_out.bytes()) +
                    " held-out bytes: more would take longer than the budget's share for measuring");
  note_rates(report, lines);
  note_passes(from.settings, report, lines);
  for (const Json& c : report.at("candidates")) {
    const std::string name = c.at("name");
    if (c.contains("error")) lines.push_back(name + " failed: " + c.at("error").get<std::string>());
    if (!c.contains("lr")) continue;
    const Json trained = parsed(*from.store.trial(name, "train", "seed 1"));
    if (trained.at("best_step").get<double>() < 0.8 * trained.at("steps").get<double>())
      lines.push_back(name + " was best on validation text at step " + std::to_string(trained.at("best_step").get<int64_t>()) + " of " +
                      std::to_string(trained.at("steps").get<int64_t>()) + ", and is judged by those weights: it got no better on it beyond");
  }
  if (from.amounts.noise == 0 && from.amounts.train > 0 && from.settings.noise_share > 0)
    lines.push_back("noise is left out: its share of the budget buys fewer than 100 steps with fillers; a larger --budget measures it");
  if (!baselines.empty()) lines.push_back(baselines);
  return lines;
}
}  // namespace

std::vector<Json> searched(const Store& store, const std::string& candidate) {
  std::vector<Json> all;
  for (const std::string& value : store.trials(candidate, "search")) all.push_back(parsed(value));
  std::sort(all.begin(), all.end(), [](const Json& a, const Json& b) { return a.at("lr").get<double>() < b.at("lr").get<double>(); });
  return all;
}

Json findings(const FindingsFrom& from, bool complete) {
  const Machine machine = this_machine();
  const std::vector<Known> all = all_known(from);
  const Known* best = nullptr;
  for (const Known& known : all)
    if (known.done() && (!best || mean_bits(known) < mean_bits(*best))) best = &known;
  Json report = {{"format_version", 1}, {"statera", from.run.version}, {"commit", from.run.commit}, {"command", from.run.command}, {"date", date_text()}};
  report["machine"] = {{"cpu", machine.cpu}, {"cores", machine.cores}, {"threads", from.device.threads()}, {"instruction_set", instruction_set()},
                       {"memory_bytes", machine.memory_bytes}, {"load", machine.load}};
  const auto bytes = [](const ByteSource& source) { return source.bytes(); };
  report["data"] = {{"name", from.store.fact("data_name").value_or("the data")}, {"bytes", bytes(from.source)},
                    {"documents", from.source.documents()}, {"train_bytes", bytes(from.parts.train)}, {"validation_bytes", bytes(from.parts.validation)},
                    {"held_out_bytes", bytes(from.parts.held_out)}};
  report["settings"] = Json::parse(write_fields(from.settings));
  report["settings"]["judged_bytes"] = from.amounts.judged_bytes;
  report["terms"] = terms(from, all);
  report["complete"] = complete;
  report["recommendation"] = nullptr;  // in its place in the file
  const Json baselines = parsed(from.store.fact("baselines").value_or(R"({"rows": [], "note": ""})"));
  report["baselines"] = baselines.at("rows");
  report["candidates"] = Json::array();
  for (const Known& known : all) report["candidates"].push_back(candidate_json(from, known, best));
  const Recommendation r = recommended(from, report, complete);
  report["recommendation"] = {{"decided_by", r.decided_by}, {"sentences", r.sentences}};
  if (r.winner) report["recommendation"]["winner"] = *r.winner;
  report["notes"] = notes(from, report, baselines.at("note"));
  // names of files need not be UTF-8, JSON must be
  return Json::parse(report.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace statera
