#include "statera/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace statera {
namespace {

TEST(Philox, KnownAnswers) {  // kat_vectors of Random123, philox4x32 with 10 rounds
  using Block = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, OrderChangesNothing) {
  const Random random(7, "embedding");
  std::vector<double> forward, backward(100);
  for (uint64_t i = 0; i < 100; ++i) forward.push_back(random.normal(i));
  for (uint64_t i = 100; i-- > 0;) backward[i] = Random(7, "embedding").normal(i);
  EXPECT_EQ(forward, backward);
}

TEST(Random, SeedsStreamsAndIndicesDiffer) {
  EXPECT_NE(Random(1, "a").bits(0), Random(2, "a").bits(0));
  EXPECT_NE(Random(1, "a").bits(0), Random(1, "b").bits(0));
  EXPECT_NE(Random(1, "a").bits(0), Random(1, "a").bits(1));
  EXPECT_NE(Random(1, 5).bits(0), Random(1, uint64_t{5} << 32).bits(0));
  EXPECT_NE(Random(1, 5).bits(0), Random(1, 5).bits(uint64_t{1} << 32));
}

TEST(Random, Moments) {
  const Random random(3, "moments");
  constexpr int n = 100'000;
  double uniform = 0, uniform2 = 0, normal = 0, normal2 = 0, normal4 = 0;
  for (uint64_t i = 0; i < n; ++i) {
    const double u = random.uniform(i), z = random.normal(i);
    ASSERT_TRUE(u > 0 && u < 1);
    ASSERT_TRUE(std::isfinite(z));
    uniform += u;
    uniform2 += u * u;
    normal += z;
    normal2 += z * z;
    normal4 += z * z * z * z;
  }
  const double five_sigma = 5 / std::sqrt(n);
  EXPECT_NEAR(uniform / n, 0.5, five_sigma * std::sqrt(1 / 12.0));
  EXPECT_NEAR(uniform2 / n, 1 / 3.0, five_sigma * std::sqrt(4 / 45.0));
  EXPECT_NEAR(normal / n, 0, five_sigma);
  EXPECT_NEAR(normal2 / n, 1, five_sigma * std::sqrt(2));
  EXPECT_NEAR(normal4 / n, 3, five_sigma * std::sqrt(96));
}

}  // namespace
}  // namespace statera
