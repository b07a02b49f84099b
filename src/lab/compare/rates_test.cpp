// The search for a learning rate on bowls whose lowest points lie anywhere, and where rates diverge.
#include "lab/compare/rates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace statera {
namespace {

double found(const std::function<double(double)>& bits, int trials) {
  std::vector<TriedRate> tried;
  for (int i = 0; i < trials; ++i) {
    const double lr = next_rate(tried, 2e-3);
    tried.push_back({lr, bits(lr)});
    std::ranges::sort(tried, {}, &TriedRate::lr);
  }
  return std::ranges::min_element(tried, {}, &TriedRate::bits_per_byte)->lr;
}

TEST(Rates, FourTrialsFindTheBestWithinAFactorOfTwo) {
  for (double best = 6e-4; best < 1.5e-2; best *= 1.1) {
    const double lr = found([&](double x) { return std::pow(std::log(x / best), 2); }, 4);
    EXPECT_LE(std::max(lr / best, best / lr), 2.01) << "best " << best << ", found " << lr;
  }
}

TEST(Rates, GoOnBeyondTheBetterEnd) {
  EXPECT_NEAR(found([](double x) { return x; }, 4), 2e-3 / 16, 1e-5);
  EXPECT_NEAR(found([](double x) { return -x; }, 4), 2e-3 * 64, 3e-3);
}

TEST(Rates, FleeFromDivergence) {
  const auto bits = [](double x) { return x > 1e-3 ? std::numeric_limits<double>::infinity() : std::abs(std::log(x / 4e-4)); };
  EXPECT_LE(found(bits, 4), 1e-3);
}

TEST(Rates, RepeatOnlyWhenNothingIsLeftBetween) {
  const std::vector<TriedRate> tried = {{1.0e-3, 2}, {1.1e-3, 1}, {1.2e-3, 2}};
  EXPECT_DOUBLE_EQ(next_rate(tried, 2e-3), 1.1e-3);
}

}  // namespace
}  // namespace statera
