// Measurements of trained models, and the progress of the comparison.
#include <algorithm>
#include <filesystem>
#include <numbers>
#include <numeric>

#include "core/machine.hpp"
#include "io/json.hpp"
#include "lab/compare/comparison.hpp"
#include "lab/compare/judge.hpp"
#include "lab/measure/by_position.hpp"
#include "lab/measure/contexts.hpp"
#include "lab/measure/mixed_cost.hpp"
#include "lab/measure/recall.hpp"
#include "lab/measure/stream_cost.hpp"
#include "lab/report/keys.hpp"
#include "lab/timing.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

constexpr int64_t longest_window = 16384;
// share of the training's rate for learning from the held-out bytes: docs/log.md, 2026-11-29
constexpr float learning_share = 0.1f;
}  // namespace

// The bytes on which the frozen model is judged, by a model that goes on learning: alone, and mixed with counts.
void Comparison::learn(const Entry& entry) {
  if (!trained(entry) || kept(entry, "learning", "seed 1")) return;
  note(entry.candidate.name + ": held-out text, learning while it reads");
  show(entry, "learning while it reads");
  const int64_t length = entry.candidate.ids();
  // The steps are those of the plan: one window each, and no earlier text again.
  Model model = load_model(entry, 1, true);
  const OnlineOptions options{
      .lr = learning_share * rate(entry).lr, .segment = length, .window = length, .replay = 0, .warmup = 0};
  const Counts* const counts = model.reads_bytes() ? primed() : nullptr;
  if (counts)
    require_memory(static_cast<double>(counts->memory_bytes()), "mixing a model with counts", "close other programs");
  MixedCost mixed = counts ? MixedCost(*counts) : MixedCost(false);
  OnlineModel online(std::move(model), options);
  std::vector<float> nats;
  const CostSink sink = [&](std::span<const uint8_t>, const std::vector<float>& some) {
    nats.insert(nats.end(), some.begin(), some.end());
    return !(run_.stop && run_.stop());
  };
  stream_costs(online, parts_.held_out, amounts_.judged_bytes, sink,
               [&](std::span<const uint8_t> bytes) { return mixed.reader(bytes); });
  go_on();
  Json value = {{key::bits_per_byte, bits(nats)}, {key::lr, options.lr}};
  if (counts) value[key::mixed_bits_per_byte] = mixed.both() / static_cast<double>(nats.size());
  keep(entry, "learning", "seed 1", value);
}

void Comparison::measure(const Entry& entry) {
  if (!trained(entry)) return;
  std::optional<Model> model;
  const auto once = [&](const char* kind, const auto& measured) {
    if (kept(entry, kind, "seed 1")) return;
    if (!model) model.emplace(load_model(entry, 1));
    note(entry.candidate.name + ": " + kind);
    show(entry, kind);
    const Json value = measured();
    go_on();
    keep(entry, kind, "seed 1", value);
  };
  once("bits by position", [&] {
    Json rows = Json::array();
    for (const PositionCost& p :
         by_position(*model, parts_.held_out, longest_window, amounts_.position_bytes, run_.stop))
      rows.push_back(
          {{key::from, p.from}, {key::to, p.to}, {key::bits_per_byte, p.bits_per_byte}, {key::bytes, p.bytes}});
    return rows;
  });
  once("recall", [&] {
    Json rows = Json::array();
    for (const RecallGain& g : recall(*model, parts_.held_out, amounts_.passages, run_.stop))
      rows.push_back({{key::distance, g.distance}, {key::gain, g.gain}, {key::standard_error, g.standard_error}});
    return rows;
  });
}

// Measures all trained candidates in turn in one run; does so again if one has been added.
void Comparison::measure_speed() {
  std::vector<const Entry*> done;
  for (const Entry& entry : entries_)
    if (trained(entry)) done.push_back(&entry);
  const bool all =
      std::all_of(done.begin(), done.end(), [&](const Entry* e) { return kept(*e, "speed", "seed 1").has_value(); });
  if (all) return;
  note("speed and state by context, in turn");
  for (const Entry* entry : done) show(*entry, "speed");
  std::vector<Model> models;
  for (const Entry* entry : done) models.push_back(load_model(*entry, 1));
  std::vector<const Model*> pointers;
  for (const Model& model : models) pointers.push_back(&model);
  std::vector<int64_t> judged;  // contexts
  for (const Entry* entry : done) judged.push_back(entry->candidate.length);
  std::vector<double> bytes_per_id;
  for (const Entry* entry : done) bytes_per_id.push_back(entry->candidate.bytes_per_id());
  std::vector<int64_t> more = judged;  // and where streams with fillers are judged
  for (const int64_t context : judged)
    for (const int64_t growth : {2, 4})
      if (amounts_.noise > 0 && growth * context <= longest_context) more.push_back(growth * context);
  const auto contexts = step_costs(pointers, parts_.held_out, more, bytes_per_id, run_.stop);
  const auto speeds = stream_speeds(pointers, parts_.held_out, judged, run_.stop);
  go_on();
  for (size_t i = 0; i < done.size(); ++i) {
    Json rows = Json::array();
    for (const ContextCost& c : contexts[i])
      rows.push_back(
          {{key::context, c.context}, {key::step_seconds, c.step_seconds}, {key::state_bytes, c.state_bytes}});
    keep(*done[i], "speed", "seed 1",
         {{key::prefill_bytes, speeds[i].prefill_bytes},
          {key::prefill_bytes_per_second, speeds[i].prefill_bytes_per_second},
          {key::step_bytes_per_second, speeds[i].step_bytes_per_second},
          {key::contexts, rows}});
  }
}

// Calibrated seconds of the work that this candidate still has to do.
double Comparison::seconds_left(const Entry& entry) const {
  const auto steps = [&](double amount) {
    return static_cast<double>(steps_for(settings_, entry.costs, amount)) * entry.costs.step_seconds;
  };
  const std::string& name = entry.candidate.name;
  double left = 0;
  if (amounts_.search > 0)
    left += steps(amounts_.search) * static_cast<double>(std::max<int64_t>(
                                         0, settings_.learning_rates - std::ssize(store_.trials(name, "search"))));
  left += static_cast<double>(train_steps(settings_, entry.costs, amounts_)) * entry.costs.step_seconds *
          static_cast<double>(std::max<int64_t>(0, settings_.seeds - std::ssize(store_.trials(name, "train"))));
  if (amounts_.noise > 0)
    left += steps(amounts_.noise) * static_cast<double>(3 - std::ssize(store_.trials(name, "noise")));
  if (!kept(entry, "speed", "seed 1")) left += measure_seconds(settings_, entry.costs, amounts_);
  return left;
}

double Comparison::seconds_left() const {
  double left = 0, training = 0;  // training: the mean over the candidates
  int64_t again = settings_.seeds == 1 ? amounts_.second_seeds : 0;
  for (const Entry& entry : entries_) {
    left += seconds_left(entry);
    training += static_cast<double>(train_steps(settings_, entry.costs, amounts_)) * entry.costs.step_seconds /
                static_cast<double>(entries_.size());
    if (settings_.seeds == 1 && store_.trial(entry.candidate.name, "train", "seed 2")) --again;
  }
  return left + training * static_cast<double>(std::max<int64_t>(0, again));
}

void Comparison::show(const Entry& entry, const std::string& stage, double done, double validation) {
  if (!run_.status || (done < 1 && clock_seconds() - shown_ < 0.2)) return;
  shown_ = clock_seconds();
  CompareStatus status;
  double best = 0;
  for (const Entry& each : entries_) {
    CompareStatus::Line line{.name = each.candidate.name, .stage = {}, .done = 0, .bits_per_byte = 0, .judged = false};
    if (const std::vector<float> nats = store_.costs(line.name, 1); !nats.empty()) {
      line.bits_per_byte = bits(nats);
      line.judged = true;
      if (status.leader.empty() || line.bits_per_byte < best) {
        best = line.bits_per_byte;
        status.leader = line.name;
      }
    }
    if (line.name == entry.candidate.name) {
      line.stage = stage;
      line.done = done;
      if (!line.judged) line.bits_per_byte = validation;
    }
    status.candidates.push_back(line);
  }
  status.seconds_left = seconds_left() * pace_.times();
  status.seconds = shown_ - begun_;
  run_.status(status);
}

}  // namespace statera
