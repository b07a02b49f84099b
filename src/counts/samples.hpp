// What the next byte is, if the bytes are samples of sound or of another smooth curve: a linear prediction from the
// last samples, and how far such predictions were off lately.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "counts/least_squares.hpp"
#include "counts/text.hpp"

namespace statera::counts {

// With an odd stride a sample is a byte; with an even one, two bytes, the lower one first, signed. The stride is the
// distance in bytes from a sample to the next one of its channel. Samples are in units of the upper byte.
//
// A plain value that Contexts own: advance() after every byte of the text. Not thread safe.
class Samples {
 public:
  static constexpr size_t scales = 3;  // errors are averaged over about 8, 32 and 256 samples
  static constexpr uint64_t most_stride = 8;

  void advance(const Text& text, uint64_t stride);  // after the text has got a byte
  // The probability, with 16 bits (1 to 65535), that the bit after `prefix` (the bits of the byte so far, after a 1) is
  // 1.
  uint32_t p(uint32_t prefix, size_t scale) const;

  // What is expected of the byte, in units of 1/16; where the lower byte of two comes next, of the sample in units of
  // the upper one. And the size of errors in octaves, below `sizes`.
  int32_t expected() const;
  uint32_t error_size() const;
  static constexpr uint32_t sizes = 16;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.below(self.stride_, most_stride + 1), visitor(self.channels_), visitor.between(self.last_, -128, 128);
    for (auto& errors : self.errors_) visitor.between(errors, 0, 256);
    visitor.between(std::span(&self.predicted_, 1), -1e6, 1e6),
        visitor.between(std::span(&self.expected_, 1), -128, 128);
    visitor.below(self.lower_, 256), visitor(self.upper_);
    visitor.below(self.next_, channels_most);
  }

 private:
  static constexpr size_t channels_most = 4;

  uint32_t stride_ = 1;
  std::array<LeastSquares, channels_most> channels_;
  std::array<double, LeastSquares::taps> last_{};  // the last samples of all channels, the latest first
  std::array<std::array<double, scales>, channels_most> errors_{};  // [channel] the mean size of errors
  double predicted_ = 0, expected_ = 0;  // the sample to come: by least squares, and the same within its range
  uint32_t lower_ = 0;                   // the lower byte of the sample, where it is known
  bool upper_ = false;                   // the byte to come is the upper one of two
  uint32_t next_ = 0;                    // the channel of the sample to come
};

}  // namespace statera::counts
