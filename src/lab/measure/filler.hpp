// Noise: a stream with reserved filler ids between the bytes or tokens, which makes it `growth` times as long. After
// each of them come 0 to 2 (growth - 1) fillers, each number with equal probability. The filler is the input id that
// stands before documents, which is never predicted, so a model needs no new id. Only the row before a byte or token
// has a target: loss and cost count those, never fillers.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "statera/data.hpp"
#include "statera/train.hpp"

namespace statera {

struct Fillers {
  int64_t growth = 1;  // how many times as long the stream is; 1: no fillers
  bool even = false;   // growth - 1 fillers after each byte or token, instead of a random number
  // The fillers are ids from `first` on, each of `ids` with equal probability; 0 ids: the one that stands before
  // documents.
  int32_t first = 0, ids = 0;
};

// Makes batches of [batch * length] rows, fillers included. Batch i depends on (seed, i) alone. Owns the batch it
// returned last, which is valid until the next call. One thread at a time.
class FillerStream {
 public:
  // growth >= 1. Throws ErrorCode::config if the source is shorter than a window.
  FillerStream(IdSource source, int64_t batch, int64_t length, const Fillers& fillers, uint64_t seed);

  Batch random(int64_t i);  // with windows at random places
  // batch i of `count` batches that are spread evenly over the source
  Batch spread(int64_t i, int64_t count);

 private:
  template <class Place>
  Batch fill(int64_t i, Place place);
  void window(int64_t begin, uint64_t draw);

  IdSource source_;
  int64_t batch_, length_, bytes_ = 0;
  Fillers fillers_;
  uint64_t seed_;
  Tokens inputs_;
  std::vector<int32_t> targets_;
};

// What train() reads: options.batch windows of options.length rows. Owns its streams and must outlive what data()
// returns. One thread at a time.
class FillerTraining {
 public:
  FillerTraining(const IdSource& train, const IdSource& held_out, const TrainOptions& options, const Fillers& fillers);
  TrainingData data();

 private:
  FillerStream batches_, windows_;
  int64_t held_out_batches_;
  uint64_t fingerprint_;
  double bytes_per_position_;
};

// Nats per byte. Reads windows of growth * length rows, which hold about `length` ids each, spread evenly over the
// source, each in one call from an empty state; about `max_bytes` in all. Each growth gets nearly the same bytes. NaN
// if stopped before the first window.
double noise_cost(const Model& model, const IdSource& source, const Fillers& fillers, int64_t length, int64_t max_bytes,
                  const std::function<bool()>& stop = {});

}  // namespace statera
