#include "lab/measure/recall.hpp"

#include <algorithm>
#include <numbers>
#include <numeric>

#include "lab/measure/paired.hpp"
#include "lab/measure/stream_cost.hpp"

namespace statera {

namespace {
using Bytes = std::span<const uint8_t>;

// Bits per byte of `passage` at each distance, in a stream that begins with `first` and continues with `filler`.
std::vector<double> costs_at(const Model& model, Bytes first, Bytes filler, Bytes passage,
                             const std::vector<int64_t>& distances) {
  Session stream(model, {.rewind_bytes = 0});
  stream.prefill(ids_of(model, first).ids);
  std::vector<double> costs;
  size_t read = 0;
  for (int64_t distance : distances) {
    const size_t until = static_cast<size_t>(distance - recall_passage);
    stream.prefill(ids_of(model, filler.subspan(read, until - read)).ids);
    read = until;
    Session copy = stream.fork();
    const std::vector<float> nats = copy.score(ids_of(model, passage).ids);
    costs.push_back(std::accumulate(nats.begin(), nats.end(), 0.0) / static_cast<double>(passage.size()) /
                    std::numbers::ln2);
  }
  return costs;
}
}  // namespace

std::vector<RecallGain> recall(const Model& model, const ByteSource& source, int64_t passages,
                               const std::function<bool()>& stop) {
  const Bytes text = longest_document(source);
  std::vector<int64_t> distances;
  for (int64_t d = recall_shortest; d <= recall_longest && 2 * d <= static_cast<int64_t>(text.size()); d *= 2)
    distances.push_back(d);
  if (distances.empty()) return {};
  const auto p = static_cast<size_t>(recall_passage);
  const size_t places = text.size() - static_cast<size_t>(distances.back());
  std::vector<std::vector<double>> gains(distances.size());  // [distances][passages]
  for (int64_t i = 0; i < passages && !(stop && stop()); ++i) {
    const size_t begin = static_cast<size_t>(i) * places / static_cast<size_t>(passages);
    const size_t elsewhere = (begin + text.size() / 2) % (text.size() - p);
    const Bytes passage = text.subspan(begin, p), other = text.subspan(elsewhere, p),
                filler = text.subspan(begin + p, static_cast<size_t>(distances.back()) - p);
    const std::vector<double> with = costs_at(model, passage, filler, passage, distances),
                              control = costs_at(model, other, filler, passage, distances);
    for (size_t d = 0; d < distances.size(); ++d) gains[d].push_back(control[d] - with[d]);
  }
  std::vector<RecallGain> result;
  for (size_t d = 0; d < distances.size() && !gains[d].empty(); ++d)
    result.push_back({distances[d],
                      std::accumulate(gains[d].begin(), gains[d].end(), 0.0) / static_cast<double>(gains[d].size()),
                      standard_error(gains[d])});
  return result;
}

}  // namespace statera
