#include "lab/timing.hpp"

#include <gtest/gtest.h>

namespace statera {
namespace {

TEST(TimingTest, MedianAndQuartiles) {
  const Timing seven = timing_of({7, 1, 6, 2, 5, 3, 4});
  EXPECT_EQ(seven.seconds, 4);
  EXPECT_EQ(seven.spread, 6 - 2);
  EXPECT_EQ(seven.runs, 7);
  EXPECT_EQ(timing_of({3}).spread, 0);
  EXPECT_EQ(timing_of({}).runs, 0);
  EXPECT_EQ(median({2, 9, 1}), 2);
  EXPECT_EQ(median({}), 0);
}

TEST(TimingTest, WhatDoesNotFitIsNoted) {
  BenchTerms terms;
  std::string said;
  terms.note = [&](const std::string& line) { said = line; };
  EXPECT_TRUE(terms.fits(1e9, "anything without a limit"));
  terms.ends = clock_seconds() + 5;
  EXPECT_TRUE(terms.fits(1, "a second"));
  EXPECT_TRUE(terms.left_out.empty());
  EXPECT_FALSE(terms.fits(60, "a minute"));
  EXPECT_TRUE(terms.worth(0.1));
  EXPECT_FALSE(terms.worth(1));
  ASSERT_EQ(terms.left_out.size(), 1u);
  EXPECT_EQ(terms.left_out[0].what, "a minute");
  EXPECT_NE(said.find("a minute: it would take about 1 m 00 s"), std::string::npos) << said;
}

}  // namespace
}  // namespace statera
