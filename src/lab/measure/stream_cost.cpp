#include "lab/measure/stream_cost.hpp"

#include <algorithm>

namespace statera {

std::vector<int32_t> ids_of(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

std::span<const uint8_t> longest_document(const ByteSource& source) {
  std::span<const uint8_t> longest;
  for (int64_t d = 0; d < source.documents(); ++d)
    if (source.document(d).size() > longest.size()) longest = source.document(d);
  return longest;
}

namespace {
template <class Begin, class Score>
void read_documents(const ByteSource& source, int64_t max_bytes, const CostSink& sink, const Begin& begin_document,
                    const Score& score) {
  constexpr size_t piece = size_t{16} << 10;  // about a second with a slow model, which is how long a stop may take
  auto left = static_cast<size_t>(std::max<int64_t>(0, max_bytes));
  for (int64_t d = 0; d < source.documents() && left > 0; ++d) {
    const auto document = source.document(d).first(std::min(left, source.document(d).size()));
    begin_document(d);
    for (size_t begin = 0; begin < document.size(); begin += piece) {
      const auto bytes = document.subspan(begin, std::min(piece, document.size() - begin));
      if (!sink(bytes, score(bytes))) return;
    }
    left -= document.size();
  }
}
}  // namespace

void stream_costs(Session& session, const ByteSource& source, int64_t max_bytes, const CostSink& sink,
                  const PredictionsOf& each) {
  read_documents(
      source, max_bytes, sink, [&](int64_t) { session.reset(); },
      [&](std::span<const uint8_t> bytes) { return session.score(ids_of(bytes), each ? each(bytes) : nullptr); });
}

void stream_costs(OnlineModel& model, const ByteSource& source, int64_t max_bytes, const CostSink& sink,
                  const PredictionsOf& each) {
  read_documents(
      source, max_bytes, sink, [&](int64_t document) { document > 0 ? model.next_document() : void(); },
      [&](std::span<const uint8_t> bytes) { return model.score(ids_of(bytes), each ? each(bytes) : nullptr); });
}

std::vector<float> stream_cost(const Model& model, const ByteSource& source, int64_t max_bytes,
                               const std::function<bool()>& stop) {
  std::vector<float> all;
  Session session(model, {.rewind_bytes = 0});
  stream_costs(session, source, max_bytes, [&](std::span<const uint8_t>, const std::vector<float>& nats) {
    all.insert(all.end(), nats.begin(), nats.end());
    return !(stop && stop());
  });
  return all;
}

}  // namespace statera
