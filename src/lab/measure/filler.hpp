// Noise: a stream in which a reserved filler stands between the bytes, so that it grows `growth` times. Behind each
// byte come 0 to 2 (growth - 1) fillers, any number with equal probability. The filler is the input id begin_id, which
// is never predicted, so a byte model needs no new id for it. Only the row before a byte has a target; loss and cost
// count bytes, never fillers.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "statera/data.hpp"
#include "statera/train.hpp"

namespace statera {

// Batches of rows [batch * length], fillers included. Batch i is a function of (seed, i).
class FillerStream {
 public:
  // growth >= 1 (1: no fillers). Throws config if the source is shorter than a window.
  FillerStream(ByteSource source, int64_t batch, int64_t length, int64_t growth, uint64_t seed);

  Batch random(int64_t i);  // windows at random places
  // batch i of `count` that are spread evenly; valid until the next call, as all
  Batch spread(int64_t i, int64_t count);

 private:
  template <class Place>
  Batch fill(int64_t i, Place place);
  void window(int64_t begin, uint64_t draw);

  ByteSource source_;
  int64_t batch_, length_, growth_;
  uint64_t seed_;
  Tokens inputs_;
  std::vector<int32_t> targets_;
};

// What train() reads: options.batch windows of options.length rows. Must outlive the data that it gives.
class FillerTraining {
 public:
  FillerTraining(const ByteSource& train, const ByteSource& held_out, const TrainOptions& options, int64_t growth);
  TrainingData data();

 private:
  FillerStream batches_, windows_;
  int64_t held_out_batches_;
  uint64_t fingerprint_;
};

// Nats per byte over windows of growth * length rows, which hold about `length` bytes each and are read from an empty
// state at once, spread evenly over the source; about `max_bytes` in all. The same bytes for each growth, as nearly as
// chance has it. NaN if stopped at once.
double noise_cost(const Model& model, const ByteSource& source, int64_t growth, int64_t length, int64_t max_bytes,
                  const std::function<bool()>& stop = {});

}  // namespace statera
