#include "lab/measure/stream_cost.hpp"

#include <algorithm>

namespace statera {

UnitIds ids_of(const Model& model, std::span<const uint8_t> bytes) {
  return model.units()->encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::span<const uint8_t> longest_document(const ByteSource& source) {
  std::span<const uint8_t> longest;
  for (int64_t d = 0; d < source.documents(); ++d)
    if (source.document(d).size() > longest.size()) longest = source.document(d);
  return longest;
}

namespace {
// About a second with a slow model, which is how long a stop may take.
constexpr size_t piece_bytes = size_t{16} << 10, piece_tokens = size_t{4} << 10;

// Calls each(ids, bytes) for pieces of a document; tokens are those of the document as a whole.
template <class Each>
bool for_each_piece(const Model& model, std::span<const uint8_t> document, const Each& each) {
  if (model.reads_bytes()) {
    for (size_t begin = 0; begin < document.size(); begin += piece_bytes) {
      const auto bytes = document.subspan(begin, std::min(piece_bytes, document.size() - begin));
      if (!each(ids_of(model, bytes), bytes)) return false;
    }
    return true;
  }
  const UnitIds all = ids_of(model, document);
  size_t begin = 0;
  UnitIds some;
  for (size_t i = 0, bytes = 0; i < all.ids.size(); ++i) {
    some.ids.push_back(all.ids[i]);
    some.bytes.push_back(all.bytes[i]);
    bytes += static_cast<size_t>(all.bytes[i]);
    if (i + 1 < all.ids.size() && some.ids.size() < piece_tokens) continue;
    if (!each(some, document.subspan(begin, bytes))) return false;
    begin += bytes;
    bytes = 0;
    some = {};
  }
  return true;
}

template <class Begin, class Score>
void read_documents(const Model& model, const ByteSource& source, int64_t max_bytes, const CostSink& sink,
                    const Begin& begin_document, const Score& score) {
  auto left = static_cast<size_t>(std::max<int64_t>(0, max_bytes));
  for (int64_t d = 0; d < source.documents() && left > 0; ++d) {
    const auto document = source.document(d).first(std::min(left, source.document(d).size()));
    begin_document(d);
    if (!for_each_piece(model, document, [&](const UnitIds& ids, std::span<const uint8_t> bytes) {
          return sink(bytes, per_byte(score(ids.ids, bytes), ids));
        }))
      return;
    left -= document.size();
  }
}
}  // namespace

void stream_costs(Session& session, const ByteSource& source, int64_t max_bytes, const CostSink& sink,
                  const PredictionsOf& each) {
  read_documents(
      session.model(), source, max_bytes, sink, [&](int64_t) { session.reset(); },
      [&](std::span<const int32_t> ids, std::span<const uint8_t> bytes) {
        return session.score(ids, each ? each(bytes) : nullptr);
      });
}

void stream_costs(OnlineModel& model, const ByteSource& source, int64_t max_bytes, const CostSink& sink,
                  const PredictionsOf& each) {
  read_documents(
      model.model(), source, max_bytes, sink,
      [&](int64_t document) { document > 0 || model.kept() > 1 ? model.next_document() : void(); },
      [&](std::span<const int32_t> ids, std::span<const uint8_t> bytes) {
        return model.score(ids, each ? each(bytes) : nullptr);
      });
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
