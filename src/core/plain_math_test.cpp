#include "core/plain_math.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "core/fingerprint.hpp"
#include "statera/random.hpp"

namespace statera::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// The largest error on points between low and high, in units in the last place of the C library's value.
double worst(double (*mine)(double), double (*theirs)(double), double low, double high) {
  const Random random(1, "points");
  double most = 0;
  for (uint64_t i = 0; i < 20000; ++i) {
    const double x = low + (high - low) * random.uniform(i), wanted = theirs(x), got = mine(x);
    const double unit = std::nextafter(std::abs(wanted), infinity) - std::abs(wanted);
    most = std::max(most, std::abs(got - wanted) / unit);
  }
  return most;
}

TEST(PlainMath, IsAsExactAsTheLibrary) {
  EXPECT_LT(worst(plain::exp, std::exp, -745, 709), 2);
  EXPECT_LT(worst(plain::exp, std::exp, -1, 1), 2);
  EXPECT_LT(worst(plain::expm1, std::expm1, -0.34, 0.34), 2);
  EXPECT_LT(worst(plain::expm1, std::expm1, -3, 3), 5);
  EXPECT_LT(worst(plain::log, std::log, 1e-300, 1e-290), 2);
  EXPECT_LT(worst(plain::log, std::log, 0.5, 2), 3);
  EXPECT_LT(worst(plain::log, std::log, 0, 1e6), 2);
  EXPECT_LT(worst(plain::log1p, std::log1p, -0.999, 1), 3);
  EXPECT_LT(worst(plain::log1p, std::log1p, -1e-9, 1e-9), 2);
  EXPECT_LT(worst(plain::log1p, std::log1p, 0, 1e9), 2);
  EXPECT_LT(worst(plain::tanh, std::tanh, -25, 25), 5);
  EXPECT_LT(worst(plain::tanh, std::tanh, -1e-3, 1e-3), 5);
}

TEST(PlainMath, Erfc) {
  for (double x = -30; x < 27; x += 0.0137)
    EXPECT_NEAR(plain::erfc(x), std::erfc(x), 1e-12 * std::erfc(x) + 1e-320) << x;
  EXPECT_EQ(plain::erfc(0.0), 1);
  EXPECT_EQ(plain::erfc(infinity), 0);
  EXPECT_EQ(plain::erfc(-infinity), 2);
}

TEST(PlainMath, OfFloatsIsAlmostAlwaysTheNearest) {
  const Random random(4, "floats");
  for (uint64_t i = 0; i < 100000; ++i) {
    const auto x = static_cast<float>(-110 + 205 * random.uniform(i));
    const auto wanted = static_cast<float>(std::exp(static_cast<double>(x)));
    EXPECT_EQ(plain::exp(x), wanted) << x;  // 100,000 points do not meet one that is within 10^-11 of a tie
  }
}

// Near a zero of sin and cos the last place is a small unit, so errors there are measured in units of 1.
TEST(PlainMath, Turns) {
  const Random random(2, "angles");
  for (uint64_t i = 0; i < 20000; ++i) {
    const double x = 1e6 * (2 * random.uniform(i) - 1);
    EXPECT_NEAR(plain::sin(x), std::sin(x), 3e-16) << x;
    EXPECT_NEAR(plain::cos(x), std::cos(x), 3e-16) << x;
  }
  EXPECT_EQ(plain::sin(0.0), 0);
  EXPECT_EQ(plain::cos(0.0), 1);
  EXPECT_TRUE(std::isnan(plain::sin(infinity)));
}

TEST(PlainMath, Powers) {
  EXPECT_NEAR(plain::pow(10000, -0.37), std::pow(10000, -0.37), 1e-16);
  EXPECT_NEAR(plain::pow(2.5, 12.25) / std::pow(2.5, 12.25), 1, 1e-14);
  EXPECT_EQ(plain::power(0.9, 0), 1);
  EXPECT_NEAR(plain::power(0.999, 12345) / std::pow(0.999, 12345), 1, 1e-12);
  EXPECT_EQ(plain::power(2, 70), std::ldexp(1, 70));
}

TEST(PlainMath, Ends) {
  EXPECT_EQ(plain::exp(1000.0), infinity);
  EXPECT_EQ(plain::exp(infinity), infinity);
  EXPECT_EQ(plain::exp(-infinity), 0);
  EXPECT_EQ(plain::exp(0.0), 1);
  EXPECT_TRUE(std::isnan(plain::exp(std::nan(""))));
  EXPECT_EQ(plain::log(0.0), -infinity);
  EXPECT_EQ(plain::log(1.0), 0);
  EXPECT_EQ(plain::log(infinity), infinity);
  EXPECT_TRUE(std::isnan(plain::log(-1.0)));
  EXPECT_EQ(plain::log1p(-1.0), -infinity);
  EXPECT_EQ(plain::log1p(infinity), infinity);
  EXPECT_TRUE(std::isnan(plain::log1p(-2.0)));
  EXPECT_EQ(plain::tanh(infinity), 1);
  EXPECT_EQ(plain::tanh(-1000.0), -1);
  EXPECT_EQ(plain::exp(-200.0f), 0);  // rounds to zero in float
  EXPECT_TRUE(std::isnan(plain::tanh(std::nan(""))));
}

// The point of it all: one number for all machines, compilers and instruction sets.
TEST(PlainMath, HasTheSameBitsEverywhere) {
  uint64_t hash = 0;
  const Random random(3, "bits");
  const auto add = [&](double value) { hash = mix_fingerprint(hash, std::bit_cast<uint64_t>(value)); };
  for (uint64_t i = 0; i < 4000; ++i) {
    const double u = random.uniform(i), x = 40 * u - 20;
    add(plain::exp(x)), add(plain::expm1(x / 30)), add(plain::log(u + 1e-9)), add(plain::log1p(u - 0.5));
    add(plain::tanh(x / 5)), add(plain::sin(x * 1000)), add(plain::cos(x * 1000)), add(plain::pow(1 + u, x));
    add(plain::power(u, i)), add(plain::erfc(x / 5)), add(plain::exp(-745 + 45 * u));
    const auto f = static_cast<float>(x);
    for (const float value : {plain::exp(f), plain::exp(-104 + 17 * static_cast<float>(u)), plain::log(f * f),
                              plain::log1p(f * f), plain::tanh(f), plain::erfc(f / 8)})
      add(static_cast<double>(value));
  }
  EXPECT_EQ(fingerprint_text(hash), "b5d49c9608f98634");
}

}  // namespace
}  // namespace statera::test
