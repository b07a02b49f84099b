#include "lab/measure/filler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/operations.hpp"
#include "core/check.hpp"
#include "statera/random.hpp"
#include "lab/training_data.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"

namespace statera {

FillerStream::FillerStream(IdSource source, int64_t batch, int64_t length, const Fillers& fillers, uint64_t seed)
    : source_(std::move(source)), batch_(batch), length_(length), fillers_(fillers), seed_(seed) {
  require(fillers.growth >= 1, ErrorCode::config, "[filler] growth is ", fillers.growth, "; it must be at least 1");
  require(source_.size() > length, ErrorCode::config, source_.source().name(), " has ", source_.size(),
          source_.units().file().empty() ? " bytes" : " tokens", ": fewer than a window of ", length);
}

// Appends rows from the id at `begin` on. The end of a document is ignored, so that the window gets its full length.
void FillerStream::window(int64_t begin, uint64_t draw) {
  const Random gaps(seed_, "filler gaps"), kinds_of(seed_, "filler ids");
  int64_t at = begin, document = source_.document_at(begin);
  const auto next = [&] {
    while (at >= source_.document_begin(document) + source_.document_size(document)) ++document;
    return source_.id(document, at - source_.document_begin(document));
  };
  inputs_.start.push_back(0);
  int64_t gap = 0;
  int32_t id = next();
  for (int64_t row = 0, drawn = 0; row < length_; ++row) {
    if (gap == 0 || row == 0) {
      const auto kinds = static_cast<uint64_t>(2 * (fillers_.growth - 1) + 1);
      // rows before the next id
      gap = fillers_.even ? fillers_.growth
                          : static_cast<int64_t>(gaps.bits((draw << 24) + static_cast<uint64_t>(drawn++)) % kinds) + 1;
    }
    inputs_.ids.push_back(id);
    id = source_.begin();
    if (fillers_.ids > 0) {
      const uint64_t draw_of_row = kinds_of.bits((draw << 24) + static_cast<uint64_t>(row));
      id = fillers_.first + static_cast<int32_t>(draw_of_row % static_cast<uint64_t>(fillers_.ids));
    }
    --gap;
    targets_.push_back(-1);
    if (gap > 0) continue;
    ++at;
    targets_.back() = id = next();
    bytes_ += source_.id_bytes(document, at - source_.document_begin(document));
  }
  inputs_.offsets.push_back(static_cast<int32_t>(inputs_.ids.size()));
}

template <class Place>
Batch FillerStream::fill(int64_t i, Place place) {
  inputs_.ids.clear();
  inputs_.start.clear();
  inputs_.offsets.assign(1, 0);
  targets_.clear();
  bytes_ = 0;
  for (int64_t b = 0; b < batch_; ++b) window(place(b), static_cast<uint64_t>(i * batch_ + b));
  return {inputs_, targets_, bytes_};
}

Batch FillerStream::random(int64_t i) {
  const Random places(seed_, "filler places");
  const auto choices = static_cast<uint64_t>(source_.size() - length_);
  return fill(
      i, [&](int64_t b) { return static_cast<int64_t>(places.bits(static_cast<uint64_t>(i * batch_ + b)) % choices); });
}

Batch FillerStream::spread(int64_t i, int64_t count) {
  const int64_t windows = count * batch_;
  return fill(i, [&](int64_t b) { return (i * batch_ + b) * (source_.size() - length_ - 1) / windows; });
}

FillerTraining::FillerTraining(const IdSource& train, const IdSource& held_out, const TrainOptions& o,
                               const Fillers& fillers)
    : batches_(train, o.batch, o.length, fillers, static_cast<uint64_t>(o.seed)),
      windows_(held_out, o.batch, std::min(o.length, held_out.size() - 1), fillers, 0),
      held_out_batches_(std::max<int64_t>(1, held_out.size() / (o.batch * o.length))),
      fingerprint_(fingerprint(train, held_out) + static_cast<uint64_t>(fillers.growth)),
      bytes_per_position_(train.bytes_per_id()) {}

TrainingData FillerTraining::data() {
  return {.batch = [this](int64_t i) { return batches_.random(i); },
          .held_out = [this](int64_t i) { return windows_.spread(i, held_out_batches_); },
          .held_out_batches = held_out_batches_,
          .fingerprint = fingerprint_,
          .bytes_per_position = bytes_per_position_};
}

double noise_cost(const Model& model, const IdSource& source, const Fillers& fillers, int64_t length, int64_t max_bytes,
                  const std::function<bool()>& stop) {
  FillerStream stream(source, 1, std::min(fillers.growth * length, source.size() - 1), fillers, 0);
  const double wanted = static_cast<double>(max_bytes) / (source.bytes_per_id() * static_cast<double>(length));
  const int64_t windows = std::max<int64_t>(1, static_cast<int64_t>(wanted));
  Tape tape(model.device());
  double nats = 0;
  int64_t bytes = 0;
  for (int64_t i = 0; i < windows && !(stop && stop()); ++i) {
    const Batch batch = stream.spread(i, windows);
    const Tape::NoGrad no_grad(tape);
    Exec exec = exec_of(tape);
    nats += cross_entropy(exec, tape.value(model.forward(tape, batch.inputs)), batch.targets, {});
    bytes += batch.bytes;
    tape.reset();
  }
  require(std::isfinite(nats), ErrorCode::numeric,
          "[filler] what the held-out text with fillers costs is not finite: the model's weights are too large to "
          "compute with");
  return bytes > 0 ? nats / static_cast<double>(bytes) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace statera
