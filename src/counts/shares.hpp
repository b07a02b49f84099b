// Which of several opinions to trust: a Bayesian mixture whose weights are shared out again a little after each byte
// (fixed share: Herbster and Warmuth, Tracking the best expert, 1998). It costs hardly more than its best opinion,
// whichever that is at the time.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace statera::counts {

// In whole numbers, so that all machines have the same bits. A plain value. Each learn() gets the opinions of the mix()
// before. Not thread safe.
template <size_t Most>
class Shares {
 public:
  static constexpr uint64_t one = uint64_t{1} << 32;

  // `first`: the weights before anything was read, which sum to `one`.
  explicit Shares(std::span<const uint64_t> first) { std::ranges::copy(first, weights_.begin()); }

  // The opinions and the result are probabilities in units of 2^-16, 1 to 65535.
  uint32_t mix(std::span<const uint32_t> opinions) const {
    uint64_t sum = 0, all = 0;
    for (size_t i = 0; i < opinions.size(); ++i) {
      sum += weights_[i] * opinions[i];
      all += weights_[i];
    }
    return static_cast<uint32_t>(std::clamp<uint64_t>(sum / all, 1, 65535));
  }

  // The opinions of a bit that came.
  void learn(std::span<const uint32_t> opinions, uint32_t bit) {
    uint64_t all = 0;
    for (size_t i = 0; i < opinions.size(); ++i) {
      weights_[i] = std::max<uint64_t>(1, weights_[i] * (bit ? opinions[i] : 65536 - opinions[i]) >> 16);
      all += weights_[i];
    }
    for (size_t i = 0; i < opinions.size(); ++i) weights_[i] = (weights_[i] << 31) / all * 2;
  }
  // After a byte: every opinion gives 2^-shift of its weight to all.
  void share(size_t opinions, int shift) {
    uint64_t given = 0;
    for (size_t i = 0; i < opinions; ++i) {
      const uint64_t part = weights_[i] >> shift;
      weights_[i] -= part;
      given += part;
    }
    for (size_t i = 0; i < opinions; ++i) weights_[i] += given / opinions;
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor.within(self.weights_, 1, static_cast<int64_t>(one));
  }

 private:
  std::array<uint64_t, Most> weights_{};
};

}  // namespace statera::counts
