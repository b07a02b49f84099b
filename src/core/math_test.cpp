// math-inl.hpp against double precision, over the range where float has an answer; and what NaN and infinity become.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/math_test.cpp"
#include "core/simd.hpp"
#include "core/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {

enum { exp_, sigmoid_, silu_, silu_grad_, softplus_, softplus_slope_, tanh_, normal_, density_ };

// y[i] = f(x[i]) for a multiple of 16 values
void Apply(int f, const float* x, float* y, int64_t n) {
  const hn::ScalableTag<float> d;
  for (int64_t i = 0; i < n; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto v = hn::LoadU(d, x + i);
    auto slope = v;
    auto density = v;
    Softplus(d, v, slope);
    const auto normal = NormalBelow(d, v, density);
    const auto r = f == exp_         ? Exp(d, v)
                   : f == sigmoid_   ? Sigmoid(d, v)
                   : f == silu_      ? Silu(d, v)
                   : f == silu_grad_ ? SiluGrad(d, v)
                   : f == softplus_  ? Softplus(d, v)
                   : f == tanh_      ? Tanh(d, v)
                   : f == normal_    ? normal
                   : f == density_   ? density
                                     : slope;
    hn::StoreU(r, d, y + i);
  }
}

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera::test {
namespace {
HWY_EXPORT(Apply);
enum { exp_, sigmoid_, silu_, silu_grad_, softplus_, softplus_slope_, tanh_, normal_, density_ };

std::vector<float> values_of(int f, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  HWY_DYNAMIC_DISPATCH(Apply)(f, x.data(), y.data(), static_cast<int64_t>(x.size()));
  return y;
}

std::vector<float> sweep(double low, double high) {
  std::vector<float> x(1 << 20);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(low + (high - low) * static_cast<double>(i) / static_cast<double>(x.size()));
  return x;
}

// The largest |f(x) - truth(x)| / scale(x).
template <class Truth, class Scale>
double worst(int f, double low, double high, Truth truth, Scale scale) {
  const std::vector<float> x = sweep(low, high), y = values_of(f, x);
  double most = 0;
  for (size_t i = 0; i < x.size(); ++i)
    most = std::max(most, std::abs(y[i] - truth(static_cast<double>(x[i]))) / scale(static_cast<double>(x[i])));
  return most;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double silu(double x) { return x * sigmoid(x); }
double silu_grad(double x) { return sigmoid(x) * (1 + x * (1 - sigmoid(x))); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double normal_below(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }
constexpr double bound = 3e-7;

TEST(Math, RelativeErrors) {
  const auto magnitude = [](auto f) { return [f](double x) { return std::max(std::abs(f(x)), 1e-37); }; };
  EXPECT_LE(worst(
                exp_, -87.3, 88.0, [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }),
            bound);
  EXPECT_LE(worst(
                exp_, -1, 1, [](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }),
            bound);
  EXPECT_LE(worst(sigmoid_, -85, 85, sigmoid, magnitude(sigmoid)), bound);
  EXPECT_LE(worst(softplus_slope_, -85, 85, sigmoid, magnitude(sigmoid)), bound);
  EXPECT_LE(worst(silu_, -80, 80, silu, magnitude(silu)), bound);
  EXPECT_LE(worst(softplus_, -80, 100, softplus, magnitude(softplus)), bound);
  EXPECT_LE(worst(softplus_, -2, 2, softplus, magnitude(softplus)), bound);
  EXPECT_LE(
      worst(
          tanh_, -20, 20, [](double x) { return std::tanh(x); }, magnitude([](double x) { return std::tanh(x); })),
      bound);
  EXPECT_LE(worst(
                tanh_, -1, 1, [](double x) { return std::tanh(x); }, magnitude([](double x) { return std::tanh(x); })),
            bound);
  // exp(-x^2 / 2) inherits the rounding of x^2 / 2, at most 2^-24 of it
  const auto with_square = [](auto f) { return [f](double x) { return f(x) * (1 + x * x / 2 * 0x1p-24 / bound); }; };
  EXPECT_LE(worst(normal_, -12, 12, normal_below, with_square(normal_below)), 2 * bound);
  EXPECT_LE(worst(
                density_, -12, 12, [](double x) { return std::exp(-x * x / 2); },
                with_square([](double x) { return std::exp(-x * x / 2); })),
            bound);
  // it crosses zero at -1.28, where only the size of its terms can be asked for
  EXPECT_LE(
      worst(silu_grad_, -80, 80, silu_grad, [](double x) { return sigmoid(x) * (1 + std::abs(x) * (1 - sigmoid(x))); }),
      2 * bound);
}

TEST(Math, EdgesOfTheRange) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x{nan, -nan, -inf, -1000, -88, inf, 1000, 0, -0.0f, 0, 0, 0, 0, 0, 0, 0};
  for (int f : {exp_, sigmoid_, silu_, silu_grad_, softplus_, softplus_slope_, normal_, density_}) {
    const std::vector<float> y = values_of(f, x);
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << f;
    for (size_t i = 3; i < 5; ++i) EXPECT_NEAR(y[i], 0, 1e-30) << f << " of " << x[i];
  }
  EXPECT_EQ(values_of(exp_, x)[2], 0);
  EXPECT_EQ(values_of(exp_, x)[7], 1);
  EXPECT_EQ(values_of(sigmoid_, x)[5], 1);
  EXPECT_EQ(values_of(sigmoid_, x)[7], 0.5f);
  EXPECT_EQ(values_of(softplus_, x)[6], 1000);
  EXPECT_EQ(values_of(normal_, x)[6], 1);
  EXPECT_EQ(values_of(normal_, x)[7], 0.5f);
  const std::vector<float> tanh = values_of(tanh_, x);
  EXPECT_TRUE(std::isnan(tanh[0]));
  for (size_t i = 2; i < x.size(); ++i) EXPECT_EQ(tanh[i], x[i] > 0 ? 1 : x[i] < 0 ? -1 : 0) << x[i];
  EXPECT_TRUE(std::isfinite(values_of(exp_, x)[6]));
}

}  // namespace
}  // namespace statera::test
#endif
