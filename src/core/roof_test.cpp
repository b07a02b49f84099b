#include "core/roof.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "statera/random.hpp"

namespace statera {
namespace {

TEST(Roof, ASumReadsEveryElementOnceAndNoneBehind) {
  const Random random(1, "roof");
  for (int64_t count = 0; count < 300; ++count) {
    std::vector<float> x(static_cast<size_t>(count) + 64, 1e6f);
    float sum = 0;  // of whole numbers far below 2^24: exact in any order
    for (int64_t i = 0; i < count; ++i)
      sum += x[static_cast<size_t>(i)] = static_cast<float>(1 + random.bits(static_cast<uint64_t>(i)) % 1000);
    EXPECT_EQ(sum_of(x.data(), count), sum) << count;
  }
}

TEST(Roof, ArithmeticIsCountedByIterations) {
  EXPECT_GT(run_fma_chains(10), 0);
  EXPECT_EQ(run_fma_chains(20), 2 * run_fma_chains(10));
  EXPECT_EQ(run_bf16_dot_chains(20), 2 * run_bf16_dot_chains(10));  // 0 where the instruction is missing
}

}  // namespace
}  // namespace statera
