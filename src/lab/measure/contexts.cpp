#include "lab/measure/contexts.hpp"

#include <algorithm>
#include <set>

#include "lab/measure/sequences.hpp"
#include "lab/measure/stream_cost.hpp"
#include "lab/timing.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
constexpr int rounds = 3;
constexpr int64_t most_bytes = int64_t{4} << 30;

// Takes one model through all contexts once and appends to seconds[context].
void visit(const Model& model, const std::set<int64_t>& contexts, std::vector<ContextCost>& costs,
           std::vector<std::vector<double>>& seconds) {
  Sequences one(model, 1);
  size_t place = 0;
  for (const int64_t context : contexts) {
    if (modules_of(model).cost(1, context).state_bytes > static_cast<double>(most_bytes)) return;
    if (place == costs.size()) {
      costs.push_back({.context = context, .step_seconds = 0, .state_bytes = 0});
      seconds.emplace_back();
    }
    for (int step = 0; step < 6; ++step) {  // the first step at a context has cold caches and is not counted
      one.place(context, 1);
      const double taken = one.read(context, 1);
      if (step > 0) seconds[place].push_back(taken);
    }
    costs[place].state_bytes = static_cast<int64_t>(one.bytes());
    ++place;
  }
}
}  // namespace

std::vector<std::vector<ContextCost>> step_costs(std::span<const Model* const> models, std::span<const int64_t> more,
                                                 const std::function<bool()>& stop) {
  std::set<int64_t> contexts(more.begin(), more.end());
  for (int64_t context = shortest_context; context <= longest_context; context *= 2) contexts.insert(context);
  std::vector<std::vector<ContextCost>> costs(models.size());
  std::vector<std::vector<std::vector<double>>> seconds(models.size());
  for (int round = 0; round < rounds; ++round)
    for (size_t m = 0; m < models.size(); ++m) {
      if (stop && stop()) return {};
      visit(*models[m], contexts, costs[m], seconds[m]);
    }
  for (size_t m = 0; m < models.size(); ++m)
    for (size_t c = 0; c < costs[m].size(); ++c) costs[m][c].step_seconds = median(seconds[m][c]);
  return costs;
}

std::vector<StreamSpeed> stream_speeds(std::span<const Model* const> models, const ByteSource& source,
                                       const std::function<bool()>& stop) {
  constexpr size_t prefilled = 2048, before = 256, steps = 64;
  const auto text = longest_document(source);
  const std::vector<int32_t> ids = ids_of(text.first(std::min(prefilled, text.size())));
  const std::span<const int32_t> all(ids);
  std::vector<std::vector<double>> prefill(models.size()), step(models.size());
  for (int round = 0; round < rounds + 1; ++round)
    for (size_t m = 0; m < models.size(); ++m) {
      if (stop && stop()) return {};
      Session session(*models[m], {.rewind_bytes = 0});
      double begin = clock_seconds();
      session.prefill(all);
      const double filled = (clock_seconds() - begin) / static_cast<double>(all.size());
      session.reset();
      session.prefill(all.first(std::min(before, all.size())));
      begin = clock_seconds();
      for (size_t i = 0; i < steps; ++i) session.step(ids[i % ids.size()]);
      if (round == 0) continue;  // caches are cold
      prefill[m].push_back(filled);
      step[m].push_back((clock_seconds() - begin) / steps);
    }
  std::vector<StreamSpeed> speeds;
  for (size_t m = 0; m < models.size(); ++m) speeds.push_back({1 / median(prefill[m]), 1 / median(step[m])});
  return speeds;
}

}  // namespace statera
