// Makes, from byte sources, what train() reads, and chooses options that suit a model and a budget. Shared by `statera
// train` and `compare`.
#pragma once
#include <string>

#include "io/output_folder.hpp"
#include "statera/data.hpp"
#include "statera/train.hpp"

namespace statera {

// Smaller models train well with a higher learning rate, and gain more from many steps than from large batches.
struct UsualOptions {
  float lr;
  int64_t batch, length;
};
UsualOptions usual_options(int64_t parameters);

// "tiny", "small" or "base". More data and more time per model (in seconds) suit a larger model.
std::string usual_size(int64_t bytes, double seconds);

// For a comparison: the bytes per sequence, from the size of the data and the seconds per candidate; and the sequences
// per batch, for presets of that size.
int64_t usual_length(int64_t bytes, double seconds);
int64_t usual_batch(const std::string& size, int64_t length);

// A hash of all bytes and of where the documents end. If the source has more than `most` bytes, it hashes about that
// many: pieces of 4 KiB at equal distances and the end of each document. So for data that are larger than a short
// training can read, it does not take longer than the training has.
uint64_t fingerprint(const ByteSource& source, uint64_t hash = 0, int64_t most = int64_t{64} << 20);
// Of two sources that are read in the same units.
uint64_t fingerprint(const IdSource& train, const IdSource& held_out);

// Throws ErrorCode::io if `source` was read from one of the files that would be written into `out`.
void check_apart(const ByteSource& source, const std::string& out, const OutputFiles& files);

// Training batches of one source and held-out windows of another, all of one size and of the same units. Owns its
// streams and must outlive what data() returns. One thread at a time.
class BatchTraining {
 public:
  // Uses batch, length, seed and carry of the options. Throws ErrorCode::config if a source is too short.
  BatchTraining(const IdSource& train, const IdSource& held_out, const TrainOptions& options);
  TrainingData data();

 private:
  BatchStream batches_, windows_;
  uint64_t fingerprint_;
  double bytes_per_position_;
};

}  // namespace statera
