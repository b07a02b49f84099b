#include "lab/measure/by_position.hpp"

#include <algorithm>
#include <bit>
#include <numbers>

#include "lab/measure/stream_cost.hpp"

namespace statera {

namespace {
size_t bucket_of(size_t place) { return static_cast<size_t>(std::bit_width(place)); }  // 0, 1, 2-3, 4-7 ...

void add(const std::vector<float>& nats, std::vector<PositionCost>& buckets) {
  for (size_t place = 0; place < nats.size(); ++place) {
    const size_t bucket = bucket_of(place);
    for (size_t b = buckets.size(); b <= bucket; ++b)
      buckets.push_back(
          {.from = b == 0 ? 0 : int64_t{1} << (b - 1), .to = int64_t{1} << b, .bits_per_byte = 0, .bytes = 0});
    buckets[bucket].bits_per_byte += static_cast<double>(nats[place]) / std::numbers::ln2;
    ++buckets[bucket].bytes;
  }
}

std::vector<PositionCost> mean(std::vector<PositionCost> buckets) {
  for (PositionCost& bucket : buckets) bucket.bits_per_byte /= static_cast<double>(bucket.bytes);
  return buckets;
}
}  // namespace

std::vector<PositionCost> by_position(const Model& model, const ByteSource& source, int64_t longest, int64_t max_bytes,
                                      const std::function<bool()>& stop) {
  constexpr int64_t shortest = 256;
  std::vector<PositionCost> buckets;
  Session session(model, {.rewind_bytes = 0});
  const int64_t first = std::clamp<int64_t>(longest, 1, source.bytes());
  for (int64_t length = first; length == first || length >= shortest; length /= 4) {
    const int64_t windows = std::max<int64_t>(1, max_bytes / 4 / length);
    for (int64_t w = 0; w < windows; ++w) {
      if (stop && stop()) return mean(buckets);
      const int64_t begin = windows == 1 ? 0 : w * (source.bytes() - length) / (windows - 1),
                    document = source.document_at(begin);
      const auto rest = source.document(document).subspan(static_cast<size_t>(begin - source.document_begin(document)));
      session.reset();
      const UnitIds ids = ids_of(model, rest.first(std::min(rest.size(), static_cast<size_t>(length))));
      add(per_byte(session.score(ids.ids), ids), buckets);
    }
  }
  return mean(buckets);
}

}  // namespace statera
