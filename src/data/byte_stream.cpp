#include <algorithm>
#include <limits>

#include "core/check.hpp"
#include "statera/random.hpp"
#include "statera/data.hpp"

namespace statera {

ByteStream::ByteStream(const std::string& path, const ByteStreamOptions& options)
    : ByteStream(ByteSource(path), options) {}

ByteStream::ByteStream(ByteSource source, const ByteStreamOptions& options)
    : source_(std::move(source)), options_(options) {
  const int64_t batch = options.batch, length = options.length, bytes = source_.bytes();
  require(batch >= 1 && length >= 1 && batch <= std::numeric_limits<int32_t>::max() / length, ErrorCode::config,
          "[data] batch ", batch, " x length ", length,
          " is impossible: both must be at least 1 and their product less than 2^31");
  require(options.begin_every >= 0, ErrorCode::config, "[data] begin_every is ", options.begin_every,
          ": it must be 0 (never) or more");
  require(options.order == Order::sweep || length <= bytes, ErrorCode::config, "[data] ", source_.name(), " has ",
          bytes, " bytes, fewer than one sequence of ", length, ": give more text, or a length of at most ", bytes);
  require(options.order != Order::lanes || length <= bytes / batch, ErrorCode::config, "[data] ", source_.name(),
          " has ", bytes, " bytes, too few for ", batch, " lanes of ", length,
          " each: give more text, or a smaller batch or length");
  const int64_t rows = options.order == Order::sweep ? std::min(batch * length, bytes) : batch * length;
  inputs_.ids.reserve(static_cast<size_t>(rows));
  targets_.reserve(static_cast<size_t>(rows));
  inputs_.start.reserve(static_cast<size_t>(rows));  // a document may have a single byte
  inputs_.offsets.reserve(static_cast<size_t>(rows) + 1);
}

int64_t ByteStream::steps() const {
  const int64_t bytes = source_.bytes();
  if (options_.order == Order::lanes) return bytes / options_.batch / options_.length;
  const int64_t windows = (bytes + options_.length - 1) / options_.length;
  return (windows + options_.batch - 1) / options_.batch;
}

Batch ByteStream::next() { return next(step_); }

Batch ByteStream::next(int64_t step) {
  require(step >= 0, ErrorCode::config, "[data] there is no batch ", step, ": the first is 0");
  inputs_.ids.clear();
  targets_.clear();
  inputs_.start.clear();
  inputs_.offsets.assign(1, 0);
  if (options_.order == Order::random)
    random_windows(step);
  else if (options_.order == Order::lanes)
    lanes(step);
  else
    sweep(step);
  step_ = step + 1;
  return {inputs_, targets_};
}

// Appends the rows that predict the bytes [position, position + count). The first sequence has `start`, and `begin` in
// place of a byte.
void ByteStream::window(int64_t position, int64_t count, int64_t start, bool begin) {
  for (int64_t i = source_.document_at(position); count > 0; ++i) {
    const std::span<const uint8_t> document = source_.document(i);
    const auto from = static_cast<size_t>(position - source_.document_begin(i));
    const size_t n = std::min(static_cast<size_t>(count), document.size() - from);
    inputs_.ids.push_back(from == 0 || begin ? begin_id : document[from - 1]);
    for (size_t j = from; j + 1 < from + n; ++j) inputs_.ids.push_back(document[j]);
    for (size_t j = from; j < from + n; ++j) targets_.push_back(document[j]);
    inputs_.start.push_back(start);
    inputs_.offsets.push_back(static_cast<int32_t>(inputs_.ids.size()));
    position += static_cast<int64_t>(n);
    count -= static_cast<int64_t>(n);
    start = 0;
    begin = false;
  }
}

void ByteStream::random_windows(int64_t step) {
  const Random place(options_.seed, "data/window"), begins(options_.seed, "data/begin");
  const int64_t places = source_.bytes() - options_.length + 1;
  for (int64_t b = 0; b < options_.batch; ++b) {
    const auto index = static_cast<uint64_t>(step) * static_cast<uint64_t>(options_.batch) + static_cast<uint64_t>(b);
    const auto position =
        std::min(places - 1, static_cast<int64_t>(place.uniform(index) * static_cast<double>(places)));
    const bool begin =
        options_.begin_every > 0 && begins.bits(index) % static_cast<uint64_t>(options_.begin_every) == 0;
    window(position, options_.length, 0, begin);
  }
}

// The length of a lane is usually no multiple of `length`: each pass leaves out some bytes at its ends, other ones each
// time.
void ByteStream::lanes(int64_t step) {
  const int64_t lane = source_.bytes() / options_.batch, pass = step / steps(), done = step % steps() * options_.length;
  const int64_t spare = lane - steps() * options_.length;
  const int64_t shift = Random(options_.seed, "data/shift").bits(static_cast<uint64_t>(pass)) % (spare + 1);
  for (int64_t b = 0; b < options_.batch; ++b) {
    const int64_t first = b * lane + shift, position = first + done;
    const int64_t document = source_.document_begin(source_.document_at(position));
    window(position, options_.length, position - std::max(first, document), position == first);
  }
}

void ByteStream::sweep(int64_t step) {
  const int64_t first = step % steps() * options_.batch;
  for (int64_t w = first; w < first + options_.batch; ++w) {
    const int64_t position = w * options_.length;
    if (position < source_.bytes()) window(position, std::min(options_.length, source_.bytes() - position), 0, false);
  }
}

}  // namespace statera
