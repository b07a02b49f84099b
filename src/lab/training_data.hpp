// From byte sources to what train() reads, and the options that suit a model and a budget: shared by `statera train`
// and `compare`.
#pragma once
#include <string>

#include "io/output_folder.hpp"
#include "statera/data.hpp"
#include "statera/train.hpp"

namespace statera {

// Smaller models bear a higher learning rate, and gain more from many steps than from large ones.
struct UsualOptions {
  float lr;
  int64_t batch, length;
};
UsualOptions usual_options(int64_t parameters);

// "tiny", "small" or "base": larger data and more time for one model (seconds) bear a larger one.
std::string usual_size(int64_t bytes, double seconds);

// For a comparison: bytes of a sequence, by the data and the seconds of one candidate; and sequences of a batch, for
// presets of that size.
int64_t usual_length(int64_t bytes, double seconds);
int64_t usual_batch(const std::string& size, int64_t length);

// Of where the documents end and of every byte; of a source of more than `most` bytes, of about so many: 4 KiB again
// and again at equal distances, and the end of each document. So data that are larger than a short training reads do
// not cost more time than it has.
uint64_t fingerprint(const ByteSource& source, uint64_t hash = 0, int64_t most = int64_t{64} << 20);

// Throws io if one of the files that would be written into `out` is read from.
void check_apart(const ByteSource& source, const std::string& out, const OutputFiles& files);

// Batches of one part of a source and windows of another, of the same size. Must outlive the data that it gives.
class ByteTraining {
 public:
  // Uses batch, length, seed and carry of the options. Throws config if a part is too short.
  ByteTraining(const ByteSource& train, const ByteSource& held_out, const TrainOptions& options);
  TrainingData data();

 private:
  ByteStream batches_, windows_;
  uint64_t fingerprint_;
};

}  // namespace statera
