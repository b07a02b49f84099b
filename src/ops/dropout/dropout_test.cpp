// What the laws do not see: how many elements are dropped, by what the rest grow, and what decides which.
#include "ops/dropout/dropout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "statera/error.hpp"
#include "support/op_run.hpp"

namespace statera::test {
namespace {

std::vector<double> dropped(double rate, uint64_t seed, const char* place, int64_t rows = 200, int64_t columns = 503) {
  Tape tape(Device::cpu({.threads = 1}));
  Tensor ones(DType::f32, {rows, columns});
  std::fill_n(ones.view().as<float>(), rows * columns, 1.0f);
  return to_doubles(tape.value(dropout(tape, tape.input(ones), {rate, seed}, place)));
}

TEST(Dropout, DropsItsShareAndKeepsTheMean) {
  for (double rate : {0.1, 0.5, 0.9}) {
    const std::vector<double> y = dropped(rate, 1, "a");
    const auto n = static_cast<double>(y.size());
    const auto zeros = static_cast<double>(std::count(y.begin(), y.end(), 0.0));
    EXPECT_NEAR(zeros / n, rate, 5 * std::sqrt(rate * (1 - rate) / n)) << rate;
    for (double v : y) ASSERT_TRUE(v == 0 || std::abs(v - 1 / (1 - rate)) < 1e-3) << v;
    EXPECT_NEAR(std::accumulate(y.begin(), y.end(), 0.0) / n, 1, 5 * std::sqrt(rate / (1 - rate) / n)) << rate;
  }
}

TEST(Dropout, NeighboursAreDroppedIndependently) {
  const std::vector<double> y = dropped(0.5, 1, "a");
  for (size_t distance : {1u, 2u, 8u, 503u}) {
    double both = 0;
    for (size_t i = distance; i < y.size(); ++i) both += y[i] == 0 && y[i - distance] == 0;
    EXPECT_NEAR(both / static_cast<double>(y.size() - distance), 0.25, 0.01) << distance;
  }
}

TEST(Dropout, SeedAndPlaceDecideWhich) {
  const std::vector<double> y = dropped(0.3, 1, "a");
  EXPECT_EQ(dropped(0.3, 1, "a"), y);
  EXPECT_NE(dropped(0.3, 2, "a"), y);
  EXPECT_NE(dropped(0.3, 1, "b"), y);
}

TEST(Dropout, NoneIsNoOperation) {
  Tape tape(Device::cpu({.threads = 1}));
  const Tensor x(DType::f32, {2, 3});
  const Var in = tape.input(x);
  EXPECT_EQ(dropout(tape, in, {}, "a").id, in.id);
  for (double rate : {-0.1, 1.0, std::nan("")}) EXPECT_THROW(dropout(tape, in, {rate, 0}, "a"), Error) << rate;
}

}  // namespace
}  // namespace statera::test
