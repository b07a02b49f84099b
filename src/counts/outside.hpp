// A distribution over the next byte that another model gives, such as a neural network.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace statera::counts {

// Copies the distribution. p() needs a set() before. Not thread safe.
class Outside {
 public:
  // p: [byte] its probability; the sum need not be exactly 1. Every byte gets 2^-30 more. Throws ErrorCode::numeric for
  // what is no probability.
  void set(std::span<const float, 256> p);

  // The probability, with 16 bits (1 to 65535), that the bit after `prefix` (the bits of the byte so far, after a 1) is
  // 1.
  uint32_t p(uint32_t prefix) const {
    return static_cast<uint32_t>(std::clamp<uint64_t>((below_[2 * prefix + 1] << 16) / below_[prefix], 1, 65535));
  }

 private:
  std::array<uint64_t, 512> below_;  // [prefix] the sum of all bytes that begin with it, in units of 2^-30
};

}  // namespace statera::counts
