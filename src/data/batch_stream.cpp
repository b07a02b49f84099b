#include <algorithm>
#include <limits>

#include "core/check.hpp"
#include "statera/random.hpp"
#include "statera/data.hpp"

namespace statera {

BatchStream::BatchStream(const std::string& path, const BatchStreamOptions& options)
    : BatchStream(IdSource(ByteSource(path)), options) {}

BatchStream::BatchStream(IdSource source, const BatchStreamOptions& options)
    : source_(std::move(source)), options_(options) {
  const int64_t batch = options.batch, length = options.length, all = source_.size();
  require(batch >= 1 && length >= 1 && batch <= std::numeric_limits<int32_t>::max() / length, ErrorCode::config,
          "[data] batch ", batch, " x length ", length,
          " is impossible: both must be at least 1 and their product less than 2^31");
  require(options.begin_every >= 0, ErrorCode::config, "[data] begin_every is ", options.begin_every,
          ": it must be 0 (never) or more");
  const std::string& name = source_.source().name();
  const char* const what = source_.units().file().empty() ? " bytes" : " tokens";
  require(options.order == Order::sweep || length <= all, ErrorCode::config, "[data] ", name, " has ", all, what,
          ", fewer than one sequence of ", length, ": give more text, or a length of at most ", all);
  require(options.order != Order::lanes || length <= all / batch, ErrorCode::config, "[data] ", name, " has ", all,
          what, ", too few for ", batch, " lanes of ", length, " each: give more text, or a smaller batch or length");
  const int64_t rows = options.order == Order::sweep ? std::min(batch * length, all) : batch * length;
  inputs_.ids.reserve(static_cast<size_t>(rows));
  targets_.reserve(static_cast<size_t>(rows));
  inputs_.start.reserve(static_cast<size_t>(rows));  // a document may have a single byte
  inputs_.offsets.reserve(static_cast<size_t>(rows) + 1);
}

int64_t BatchStream::steps() const {
  const int64_t all = source_.size();
  if (options_.order == Order::lanes) return all / options_.batch / options_.length;
  const int64_t windows = (all + options_.length - 1) / options_.length;
  return (windows + options_.batch - 1) / options_.batch;
}

Batch BatchStream::next() { return next(step_); }

Batch BatchStream::next(int64_t step) {
  require(step >= 0, ErrorCode::config, "[data] there is no batch ", step, ": the first is 0");
  inputs_.ids.clear();
  targets_.clear();
  inputs_.start.clear();
  inputs_.offsets.assign(1, 0);
  bytes_ = 0;
  if (options_.order == Order::random)
    random_windows(step);
  else if (options_.order == Order::lanes)
    lanes(step);
  else
    sweep(step);
  step_ = step + 1;
  return {inputs_, targets_, bytes_};
}

// Appends the rows that predict the ids [position, position + count). The first sequence has `start`, and `begin` in
// place of an id.
void BatchStream::window(int64_t position, int64_t count, int64_t start, bool begin) {
  for (int64_t i = source_.document_at(position); count > 0; ++i) {
    const int64_t from = position - source_.document_begin(i), n = std::min(count, source_.document_size(i) - from);
    inputs_.ids.push_back(from == 0 || begin ? source_.begin() : source_.id(i, from - 1));
    for (int64_t j = from; j + 1 < from + n; ++j) inputs_.ids.push_back(source_.id(i, j));
    for (int64_t j = from; j < from + n; ++j) {
      targets_.push_back(source_.id(i, j));
      bytes_ += source_.id_bytes(i, j);
    }
    inputs_.start.push_back(start);
    inputs_.offsets.push_back(static_cast<int32_t>(inputs_.ids.size()));
    position += n;
    count -= n;
    start = 0;
    begin = false;
  }
}

void BatchStream::random_windows(int64_t step) {
  const Random place(options_.seed, "data/window"), begins(options_.seed, "data/begin");
  const int64_t places = source_.size() - options_.length + 1;
  for (int64_t b = 0; b < options_.batch; ++b) {
    const auto index = static_cast<uint64_t>(step) * static_cast<uint64_t>(options_.batch) + static_cast<uint64_t>(b);
    const auto position =
        std::min(places - 1, static_cast<int64_t>(place.uniform(index) * static_cast<double>(places)));
    const bool begin =
        options_.begin_every > 0 && begins.bits(index) % static_cast<uint64_t>(options_.begin_every) == 0;
    window(position, options_.length, 0, begin);
  }
}

// The length of a lane is usually no multiple of `length`: each pass leaves out some ids at its ends, other ones each
// time.
void BatchStream::lanes(int64_t step) {
  const int64_t lane = source_.size() / options_.batch, pass = step / steps(), done = step % steps() * options_.length;
  const int64_t spare = lane - steps() * options_.length;
  const int64_t shift = Random(options_.seed, "data/shift").bits(static_cast<uint64_t>(pass)) % (spare + 1);
  for (int64_t b = 0; b < options_.batch; ++b) {
    const int64_t first = b * lane + shift, position = first + done;
    const int64_t document = source_.document_begin(source_.document_at(position));
    window(position, options_.length, position - std::max(first, document), position == first);
  }
}

void BatchStream::sweep(int64_t step) {
  const int64_t first = step % steps() * options_.batch;
  for (int64_t w = first; w < first + options_.batch; ++w) {
    const int64_t position = w * options_.length;
    if (position < source_.size()) window(position, std::min(options_.length, source_.size() - position), 0, false);
  }
}

}  // namespace statera
