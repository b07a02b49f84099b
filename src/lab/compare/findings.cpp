#include "lab/compare/findings.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/machine.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "lab/compare/inner_ratio.hpp"
#include "lab/compare/judge.hpp"
#include "lab/compare/known.hpp"
#include "lab/compare/notes.hpp"
#include "lab/compare/recommend.hpp"
#include "lab/report/keys.hpp"
#include "lab/timing.hpp"
#include "models/language_model.hpp"
#include "text/number.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

Json curve(const Known& known) {
  Json rows = Json::array();
  size_t i = 0;
  for (const Json& point : known.trained.at(key::curve)) {
    const double step = point.at(key::step);
    rows.push_back({{key::step, point.at(key::step)},
                    {key::train_bytes, step * known.costs.bytes()},
                    {key::seconds, known.costs.prepare_seconds + step * known.costs.step_seconds},
                    {key::flops, known.flops.at[i++]},
                    {key::bits_per_byte, point.at(key::bits_per_byte)}});
  }
  return rows;
}

double train_flops(const Known& known) {
  if (known.flops.at.empty()) return known.trained.at(key::steps).get<double>() * known.flops.per_step;
  const double steps = known.trained.at(key::steps), last = known.trained.at(key::curve).back().at(key::step);
  return known.flops.at.back() + (steps - last) * known.flops.per_step;
}

// What fillers cost: bits, and the steps for a real byte. A stream that is `times` as long is read and judged in
// windows that are as many times as long, so its steps are those with such a context.
void add_noise(const Store& store, const Known& known, Json& json) {
  const ModelConfig config = config_of(known);
  const double positions = static_cast<double>(known.costs.positions) / static_cast<double>(known.batch);
  bool timed = true;
  for (const char* growth : {"growth 1", "growth 2", "growth 4"}) {
    const auto value = store.trial(known.name, "noise", growth);
    if (!value) continue;
    Json row = stored_json(*value);
    if (row.contains(key::error)) continue;
    const double times = row.at(key::growth);
    // with what its inner stacks read in that training
    const LanguageModel model(with_ratios(config, row.value("ratios", known.flops.last)).value_or(config));
    row[key::flops_per_byte] =
        times * model.cost(1, std::llround(times * positions)).step_flops / known.costs.bytes_per_id;
    row.erase("ratios");
    for (const Json& c : json.value(key::contexts, Json::array()))
      if (c.at(key::context) == times * static_cast<double>(known.length))
        row[key::step_seconds_per_byte] = times * c.at(key::step_seconds).get<double>();
    timed = timed && row.contains(key::step_seconds_per_byte);
    json[key::noise].push_back(row);
  }
  if (!timed)  // some of them would be no line
    for (Json& row : json[key::noise]) row.erase(key::step_seconds_per_byte);
}

// Copies the measurements of a candidate from the store.
void add_measured(const FindingsFrom& from, const Known& known, Json& json) {
  const auto measured = [&](const char* kind) {
    const auto value = from.store.trial(known.name, kind, "seed 1");
    return value ? stored_json(*value) : Json();
  };
  if (Json rows = measured("bits by position"); !rows.is_null()) json[key::by_position] = std::move(rows);
  if (Json rows = measured("recall"); !rows.is_null()) json[key::recall] = std::move(rows);
  const Json speed = measured("speed");
  json[key::speed] = {{key::train_bytes_per_second, known.costs.bytes() / known.costs.step_seconds}};
  if (!speed.is_null()) {
    for (const char* key : {key::prefill_bytes_per_second, key::step_bytes_per_second})
      json[key::speed][key] = speed.at(key);
    // one of an earlier version read 2,048 bytes, whatever the length
    if (speed.contains(key::prefill_bytes)) json[key::speed][key::prefill_bytes] = speed.at(key::prefill_bytes);
    json[key::contexts] = speed.at(key::contexts);
    for (const Json& row : json[key::contexts])
      if (row.at(key::context) == known.length) json[key::judged_at] = row;
  }
  if (const Json learning = measured("learning"); !learning.is_null()) {
    json[key::learning_bits_per_byte] = learning.at(key::bits_per_byte);
    if (!known.judged.nats.empty()) json[key::learning_doubt] = own_doubt(known.judged, 1);
    if (learning.contains(key::mixed_bits_per_byte))
      json[key::mixed_bits_per_byte] = learning.at(key::mixed_bits_per_byte);
  }
  add_noise(from.store, known, json);
  if (known.trained.contains(key::memory)) json[key::memory] = known.trained.at(key::memory);
}

Json candidate_json(const FindingsFrom& from, const Known& known, const Known* best) {
  Json json = {{key::name, known.name},
               {key::config, known.value.at("where")},
               {key::layers, known.value.at(key::layers)},
               {key::length, known.length},
               {key::batch, known.batch},
               {key::status, known.done() ? "done" : "stopped"},
               {key::parameters, known.costs.parameters},
               {key::units, known.value.value(key::units, "bytes")},
               {key::vocabulary, known.value.at(key::config).value("vocab_size", 256)},
               {key::bytes_per_id, known.costs.bytes_per_id},
               {key::prepare_seconds, known.costs.prepare_seconds},
               {key::training_flops_per_byte, known.costs.step_flops / known.costs.bytes()}};
  // a comparison of an earlier version did not count them
  if (known.costs.embedding > 0) json[key::embedding_parameters] = known.costs.embedding;
  const std::vector<Json> rates = searched(from.store, known.name);
  bool diverged = !rates.empty() && static_cast<int64_t>(rates.size()) == from.settings.learning_rates;
  json[key::learning_rates] = Json::array();
  for (const Json& trial : rates) {
    Json rate = {{key::lr, trial.at(key::lr)}};
    for (const char* key : {key::bits_per_byte, key::error})
      if (trial.contains(key)) rate[key] = trial.at(key);
    json[key::learning_rates].push_back(rate);
    diverged = diverged && trial.contains(key::error);
  }
  json[key::rate] = {{key::doubt, known.rate.expected_loss},  // the key is older than the word
                     {key::loss_95_percent, known.rate.loss_95_percent},
                     {key::told_apart, known.rate.told_apart}};
  const Json& trained = known.trained;
  if (diverged || (!trained.is_null() && trained.contains(key::error))) {
    json[key::status] = "failed";
    json[key::error] = diverged ? rates.front().at(key::error) : trained.at(key::error);
  }
  if (trained.is_null() || trained.contains(key::error)) return json;
  const double steps = trained.at(key::steps);
  json[key::lr] = trained.at(key::lr);
  json[key::steps] = trained.at(key::steps);
  json[key::train_bytes] = steps * known.costs.bytes();
  json[key::train_seconds] = known.costs.prepare_seconds + steps * known.costs.step_seconds;
  json[key::train_flops] = train_flops(known);
  json[key::training_flops_per_byte] = train_flops(known) / (steps * known.costs.bytes());
  for (size_t i = 0; i < known.flops.ratios.size(); ++i)
    json[key::inner].push_back({{key::ratio, known.flops.ratios[i]}, {key::last_ratio, known.flops.last[i]}});
  json[key::seeds] = Json::array();
  for (size_t s = 0; s < known.judged.nats.size(); ++s)
    json[key::seeds].push_back({{key::seed, s + 1}, {key::bits_per_byte, bits(known.judged.nats[s])}});
  if (known.done()) {
    json[key::bits_per_byte] = mean_bits(known.judged);
    json[key::doubt] = own_doubt(known.judged);
    json[key::unfinished] = known.unfinished;
  }
  if (known.done() && best && best != &known) {
    const Lead d = lead(known.judged, best->judged);
    json[key::difference] = {{key::from, best->name},
                             {key::bits_per_byte, d.behind},
                             {key::standard_error, d.text_error},
                             {key::seed_error, d.seed_error},
                             {key::doubt, d.doubt}};
  }
  json[key::curve] = curve(known);
  add_measured(from, known, json);
  return json;
}

Json terms(const FindingsFrom& from, const std::vector<Known>& all) {
  const CompareSettings& s = from.settings;
  const Amounts& a = from.amounts;
  if (all.empty()) return {{key::equal, "nothing was trained yet"}, {key::not_equal, "-"}};
  double few = INFINITY, many = 0;
  for (const Known& known : all) {
    few = std::min(few, static_cast<double>(known.costs.parameters));
    many = std::max(many, static_cast<double>(known.costs.parameters));
  }
  const auto ids = [](const Known& k) { return k.value.at(key::config).value("vocab_size", 256); };
  const bool several = std::ranges::any_of(all, [&](const Known& k) { return ids(k) != ids(all.front()); });
  const std::string least = significant(few / 1e6, 3), most = significant(many / 1e6, 3);
  const std::string sizes = "; size: " + least + (least == most ? "" : " to " + most) + " million parameters";
  std::string equal, rest;
  if (s.match == "time") {
    equal = "calibrated time: " + plain_seconds(a.train) + " per training" +
            (a.search > 0 ? ", " + plain_seconds(a.search) + " per learning rate" : "");
    rest = "steps, bytes read and FLOPs" + sizes;
  } else if (s.match == "flops") {
    equal = "training FLOPs" +
            std::string(std::ranges::any_of(all, [](const Known& k) { return has_inner_stacks(config_of(k)); })
                            ? ", as planned with the ratios of the configs"
                            : "") +
            ": " + significant(a.train, 3) + " per training, " + significant(a.search, 3) + " per learning rate";
    rest = "steps, bytes read and time" + sizes;
  } else {
    equal = std::string("parameters ") + (several ? "without the embedding " : "") +
            "(within 3 %) and steps: " + significant(a.train, 3) + " per training, " + significant(a.search, 3) +
            " per learning rate";
    rest = "FLOPs and time";
  }
  std::string batches;
  for (const Known& known : all) {
    const std::string one = std::to_string(known.batch) + " x " + std::to_string(known.length);
    if (batches.find(one) == std::string::npos) batches += (batches.empty() ? "" : ", ") + one;
  }
  equal += "; the data; batches of " + batches + " bytes; " +
           (a.search > 0 ? std::to_string(s.learning_rates) + " learning rates tried by each"
                         : "the usual learning rate of each") +
           (s.precision == "fp32" ? "" : "; training in " + s.precision) +
           (s.weight_decay == CompareSettings().weight_decay ? "" : "; weight decay " + number_text(s.weight_decay)) +
           (s.dropout == 0 ? "" : "; dropout " + number_text(s.dropout));
  return {{key::equal, equal}, {key::not_equal, rest}};
}

// The best of the baselines that learn while they read, or of the frozen ones.
BestBaseline best_baseline(const Json& report, bool learns) {
  BestBaseline best{.name = {}, .bits_per_byte = std::numeric_limits<double>::infinity()};
  for (const Json& row : report.at(key::baselines))
    if (row.value(key::learns, false) == learns && row.at(key::bits_per_byte) < best.bits_per_byte)
      best = {row.at(key::name), row.at(key::bits_per_byte)};
  return best;
}

Contender contender(const Json& c) {
  Contender one{.name = c.at(key::name),
                .bits_per_byte = c.at(key::bits_per_byte),
                .learning_bits = c.value(key::learning_bits_per_byte, 0.0),
                .mixed_bits = c.value(key::mixed_bits_per_byte, 0.0),
                .own_doubt = c.at(key::doubt),
                .learning_doubt = c.value(key::learning_doubt, 0.0)};
  one.context = c.at(key::length);
  one.unfinished = c.at(key::unfinished);
  one.expected_loss = c.at(key::rate).at(key::doubt);
  one.loss_95_percent = c.at(key::rate).at(key::loss_95_percent);
  one.rates_told_apart = c.at(key::rate).at(key::told_apart);
  if (c.contains(key::judged_at)) {
    one.step_seconds = c.at(key::judged_at).at(key::step_seconds);
    one.state_bytes = c.at(key::judged_at).at(key::state_bytes);
  }
  if (c.contains(key::difference)) {
    const Json& d = c.at(key::difference);
    one.behind = d.at(key::bits_per_byte);
    one.error = std::hypot(d.at(key::standard_error).get<double>(), d.at(key::seed_error).get<double>());
    one.doubt = d.at(key::doubt);
  }
  return one;
}

std::string terms_name(const FindingsFrom& from) {
  const std::string& match = from.settings.match;
  return match == "time"    ? "equal time (" + plain_seconds(from.amounts.train) + " per training)"
         : match == "flops" ? "equal training FLOPs"
                            : "equal parameters and steps";
}

Recommendation recommended(const FindingsFrom& from, const Json& report, bool complete) {
  std::vector<Contender> contenders;
  int64_t most_seeds = 1, least_seeds = std::numeric_limits<int64_t>::max();
  for (const Json& c : report.at(key::candidates)) {
    if (c.at(key::status) != "done") continue;
    contenders.push_back(contender(c));
    most_seeds = std::max<int64_t>(most_seeds, std::ssize(c.at(key::seeds)));
    least_seeds = std::min<int64_t>(least_seeds, std::ssize(c.at(key::seeds)));
  }
  return recommend(contenders, {.data = report.at(key::data).at(key::name),
                                .terms = terms_name(from),
                                .seeds = most_seeds,
                                .least_seeds = least_seeds,
                                .searched = from.amounts.search > 0,
                                .complete = complete,
                                .frozen = best_baseline(report, false),
                                .learning = best_baseline(report, true)});
}

// With several lengths: the best candidate at each, among those whose trainings are finished.
Json by_length(const FindingsFrom& from, const std::vector<Known>& all) {
  Json rows = Json::array();
  for (const int64_t length : from.settings.length_list()) {
    std::vector<Known> at;
    for (const Known& known : all)
      if (known.length == length && known.done() && !known.unfinished) at.push_back(known);
    const Known* best = best_of(at);
    if (!best) continue;
    Json row = {{key::length, length},
                {key::best, best->name},
                {key::bits_per_byte, mean_bits(best->judged)},
                {key::within_doubt, Json::array()}};
    for (const Known& known : at)
      if (known.name != best->name)
        if (const Lead d = lead(known.judged, best->judged); d.behind <= d.doubt)
          row[key::within_doubt].push_back(known.name);
    rows.push_back(std::move(row));
  }
  return rows;
}
}  // namespace

Json findings(const FindingsFrom& from, bool complete) {
  const Machine machine = this_machine();
  const std::vector<Known> all = all_known(from.store, from.settings, from.amounts);
  const Known* best = best_of(all);
  Json report = {{key::format_version, 1},
                 {key::statera, from.run.version},
                 {key::commit, from.run.commit},
                 {key::command, from.store.fact("commands").value_or(from.run.command)},
                 {key::date, date_text()}};
  report[key::machine] = {{key::cpu, machine.cpu},
                          {key::cores, machine.cores},
                          {key::threads, from.device.threads()},
                          {key::instruction_set, instruction_set()},
                          {key::memory_bytes, machine.memory_bytes},
                          {key::load, machine.load}};
  const auto bytes = [](const ByteSource& source) { return source.bytes(); };
  report[key::data] = {{key::name, from.store.fact("data_name").value_or("the data")},
                       {key::bytes, bytes(from.source)},
                       {key::documents, from.source.documents()},
                       {key::train_bytes, bytes(from.parts.train)},
                       {key::validation_bytes, bytes(from.parts.validation)},
                       {key::held_out_bytes, bytes(from.parts.held_out)}};
  report[key::settings] = parse_ordered_json(write_fields(from.settings), "the settings");
  report[key::settings]["judged_bytes"] = from.amounts.judged_bytes;
  report[key::terms] = terms(from, all);
  report[key::complete] = complete;
  report[key::recommendation] = nullptr;  // reserves its place in the file
  const Json baselines = baselines_of(from.store);
  report[key::baselines] = baselines.at("rows");
  report[key::candidates] = Json::array();
  for (const Known& known : all) report[key::candidates].push_back(candidate_json(from, known, best));
  if (from.settings.length_list().size() > 1) report[key::by_length] = by_length(from, all);
  const Recommendation r = recommended(from, report, complete);
  report[key::recommendation] = {{key::decided_by, r.decided_by}, {key::sentences, r.sentences}};
  if (r.winner) report[key::recommendation][key::winner] = *r.winner;
  report[key::notes] = notes(from, all, report);
  // names of files need not be UTF-8, but JSON must be
  return parse_ordered_json(json_text(report), "the report", std::string::npos);
}

}  // namespace statera
