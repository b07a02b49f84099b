#include "lab/training_data.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/check.hpp"
#include "core/fingerprint.hpp"

namespace statera {

UsualOptions usual_options(int64_t parameters) {
  return {.lr = static_cast<float>(std::min(5e-3, 2e-3 * std::pow(2e6 / static_cast<double>(parameters), 0.3))),
          .batch = parameters < 1'000'000 ? 4 : 8,
          .length = parameters < 5'000'000 ? 256 : 512};
}

std::string usual_size(int64_t bytes, double seconds) {
  if (bytes >= 50'000'000 && seconds >= 8 * 3600) return "base";
  if (bytes >= 4'000'000 && seconds >= 1800) return "small";
  return "tiny";
}

int64_t usual_length(int64_t bytes, double seconds) {
  if (bytes >= 4'000'000 && seconds >= 3600) return 2048;
  if (bytes >= 1'000'000 && seconds >= 900) return 1024;
  return 512;
}

int64_t usual_batch(const std::string& size, int64_t length) {
  const int64_t bytes = 512 * (size == "tiny" ? 2 : size == "small" ? 4 : 8);
  return std::max<int64_t>(1, bytes / std::max<int64_t>(1, length));  // a length that is none is refused later
}

uint64_t fingerprint(const ByteSource& source, uint64_t hash, int64_t most) {
  constexpr size_t piece = 4096;
  // one piece is hashed of this many
  const size_t every = source.bytes() <= most ? 1 : static_cast<size_t>(source.bytes() / most) + 1;
  for (int64_t d = 0; d < source.documents(); ++d) {
    const std::span<const uint8_t> bytes = source.document(d);
    hash = mix_fingerprint(hash, uint64_t{bytes.size()});
    if (every == 1) {
      hash = mix_fingerprint(hash, bytes);
      continue;
    }
    for (size_t at = 0; at < bytes.size(); at += every * piece)
      hash = mix_fingerprint(hash, bytes.subspan(at, std::min(piece, bytes.size() - at)));
    hash = mix_fingerprint(hash, bytes.last(std::min(piece, bytes.size())));
  }
  return hash;
}

void check_apart(const ByteSource& source, const std::string& out, const OutputFiles& files) {
  for (const std::string& name : files.names)
    require(!source.reads(out + "/" + name), ErrorCode::io, out, "/", name,
            ": is one of the files to read, and would be replaced; choose another folder with --out");
}

uint64_t fingerprint(const IdSource& train, const IdSource& held_out) {
  uint64_t hash = fingerprint(held_out.source(), fingerprint(train.source()));
  for (const std::span<const int32_t> ids : {train.encoded(), held_out.encoded()})
    if (!ids.empty()) hash = mix_fingerprint(hash, {reinterpret_cast<const uint8_t*>(ids.data()), ids.size_bytes()});
  return hash;
}

BatchTraining::BatchTraining(const IdSource& train, const IdSource& held_out, const TrainOptions& o)
    : batches_(train, {.batch = o.batch,
                       .length = o.length,
                       .seed = static_cast<uint64_t>(o.seed),
                       .order = o.carry ? Order::lanes : Order::random}),
      windows_(held_out, {.batch = o.batch, .length = o.length, .order = Order::sweep}),
      fingerprint_(fingerprint(train, held_out)),
      bytes_per_position_(train.bytes_per_id()) {}

TrainingData BatchTraining::data() {
  return {.batch = [this](int64_t i) { return batches_.next(i); },
          .held_out = [this](int64_t i) { return windows_.next(i); },
          .held_out_batches = windows_.steps(),
          .fingerprint = fingerprint_,
          .bytes_per_position = bytes_per_position_};
}

}  // namespace statera
