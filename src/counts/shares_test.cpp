#include "counts/shares.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace statera::counts {
namespace {

using Three = Shares<3>;
constexpr std::array<uint64_t, 3> equal{Three::one / 3, Three::one / 3, Three::one / 3};

double bits(uint32_t p, bool one) { return -std::log2((one ? p : 65536 - p) / 65536.0); }

// Opinion `right` of three is good at bits that look random, the others are poor. Costs of the mixture and of `right`.
std::pair<double, double> read(Three& shares, size_t right, int bytes, uint32_t seed) {
  double mixed = 0, best = 0;
  for (int i = 0; i < bytes; ++i) {
    for (int b = 0; b < 8; ++b) {
      const bool one = (seed = seed * 1664525 + 1013904223) >> 31;
      std::array<uint32_t, 3> opinions{20000, 40000, 30000};
      opinions[right] = one ? 60000 : 5536;
      mixed += bits(shares.mix(opinions), one);
      best += bits(opinions[right], one);
      shares.learn(opinions, one);
    }
    shares.share(3, 10);
  }
  return {mixed, best};
}

TEST(Shares, CostHardlyMoreThanTheBestOpinion) {
  for (size_t right = 0; right < 3; ++right) {
    Three shares(equal);
    const auto [mixed, best] = read(shares, right, 2000, 7);
    EXPECT_LT(mixed, best + 20) << "of " << best;
  }
}

TEST(Shares, FollowWhenAnotherBecomesTheBest) {
  Three shares(equal);
  read(shares, 0, 2000, 7);
  const auto [mixed, best] = read(shares, 2, 2000, 9);
  EXPECT_LT(mixed, best + 40) << "of " << best;
}

TEST(Shares, StayWeightsWhateverComes) {
  Three shares(equal);
  for (int i = 0; i < 100000; ++i) shares.learn(std::array<uint32_t, 3>{1, 65535, 1}, 1);
  const std::array<uint32_t, 3> opinions{1, 30000, 65535};
  EXPECT_NEAR(shares.mix(opinions), 30000, 1);
  for (int i = 0; i < 100000; ++i) shares.learn(std::array<uint32_t, 3>{65535, 1, 1}, 1);
  EXPECT_NEAR(shares.mix(opinions), 1, 1);
}

}  // namespace
}  // namespace statera::counts
