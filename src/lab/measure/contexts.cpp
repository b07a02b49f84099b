#include "lab/measure/contexts.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "lab/measure/sequences.hpp"
#include "lab/measure/stream_cost.hpp"
#include "lab/timing.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
constexpr int rounds = 3;
constexpr int64_t most_bytes = int64_t{4} << 30;
constexpr size_t read_bytes = 2048;

// Takes one model through all contexts once and appends to seconds[context].
void visit(const Model& model, std::span<const uint8_t> text, const std::set<int64_t>& contexts, double bytes_per_id,
           std::vector<ContextCost>& costs, std::vector<std::vector<double>>& seconds) {
  Sequences one(model, 1, ids_of(model, text).ids);
  size_t place = 0;
  for (const int64_t context : contexts) {
    const int64_t positions = std::max<int64_t>(1, std::llround(static_cast<double>(context) / bytes_per_id));
    if (modules_of(model).cost(1, positions).state_bytes > static_cast<double>(most_bytes)) return;
    if (place == costs.size()) {
      costs.push_back({.context = context, .step_seconds = 0, .state_bytes = 0});
      seconds.emplace_back();
    }
    for (int step = 0; step < 6; ++step) {  // the first step at a context has cold caches and is not counted
      const double taken = one.step(positions) / bytes_per_id;
      if (step > 0) seconds[place].push_back(taken);
    }
    costs[place].state_bytes = static_cast<int64_t>(one.bytes());
    ++place;
  }
}
}  // namespace

std::vector<std::vector<ContextCost>> step_costs(std::span<const Model* const> models, const ByteSource& source,
                                                 std::span<const int64_t> more, std::span<const double> bytes_per_id,
                                                 const std::function<bool()>& stop) {
  std::set<int64_t> contexts(more.begin(), more.end());
  for (int64_t context = shortest_context; context <= longest_context; context *= 2) contexts.insert(context);
  const auto longest = longest_document(source), text = longest.first(std::min(read_bytes, longest.size()));
  std::vector<std::vector<ContextCost>> costs(models.size());
  std::vector<std::vector<std::vector<double>>> seconds(models.size());
  for (int round = 0; round < rounds; ++round)
    for (size_t m = 0; m < models.size(); ++m) {
      if (stop && stop()) return {};
      visit(*models[m], text, contexts, bytes_per_id.empty() ? 1 : bytes_per_id[m], costs[m], seconds[m]);
    }
  for (size_t m = 0; m < models.size(); ++m)
    for (size_t c = 0; c < costs[m].size(); ++c) costs[m][c].step_seconds = median(seconds[m][c]);
  return costs;
}

namespace {
struct SpeedOfOne {
  double prefill, step;  // bytes per second
};

// `size` bytes: the text, again and again.
std::string repeated(std::span<const uint8_t> text, int64_t size) {
  std::string all(static_cast<size_t>(size), ' ');
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(text[i % text.size()]);
  return all;
}

SpeedOfOne stream_speed(const Model& model, std::span<const uint8_t> text, int64_t context) {
  constexpr size_t before = 256, steps = 64;
  constexpr int64_t enough = 2048;  // bytes: fewer take too little time to measure
  Session session(model, {.rewind_bytes = 0});
  const std::string read = repeated(text, context);
  const int64_t times = (enough + context - 1) / context;
  double seconds = 0;
  for (int64_t i = 0; i < times; ++i) {
    session.reset();
    const double begin = clock_seconds();
    session.prefill(read);
    seconds += clock_seconds() - begin;
  }
  const double prefill = static_cast<double>(times * context) / seconds;
  const auto beginning = text.first(std::min(before, text.size()));
  const UnitIds ids = ids_of(model, beginning);
  session.reset();
  session.prefill(ids.ids);
  const double begin = clock_seconds();
  for (size_t i = 0; i < steps; ++i) session.step(ids.ids[i % ids.ids.size()]);
  const double bytes_per_id = static_cast<double>(beginning.size()) / static_cast<double>(ids.ids.size());
  return {prefill, steps * bytes_per_id / (clock_seconds() - begin)};
}
}  // namespace

std::vector<StreamSpeed> stream_speeds(std::span<const Model* const> models, const ByteSource& source,
                                       std::span<const int64_t> contexts, const std::function<bool()>& stop) {
  const auto text = longest_document(source);
  std::vector<std::vector<double>> prefill(models.size()), step(models.size());
  for (int round = 0; round < rounds + 1; ++round)
    for (size_t m = 0; m < models.size(); ++m) {
      if (stop && stop()) return {};
      const SpeedOfOne speed = stream_speed(*models[m], text, contexts[m]);
      if (round == 0) continue;  // caches are cold
      prefill[m].push_back(speed.prefill);
      step[m].push_back(speed.step);
    }
  std::vector<StreamSpeed> speeds;
  for (size_t m = 0; m < models.size(); ++m) speeds.push_back({contexts[m], median(prefill[m]), median(step[m])});
  return speeds;
}

}  // namespace statera
