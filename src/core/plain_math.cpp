#include "core/plain_math.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

namespace statera::plain {

namespace {
// ln 2 and pi / 2 in parts: the first ones end in zeros, so that their product with a small whole number is exact. The
// constants are the usual ones, of Cody and Waite, "Software Manual for the Elementary Functions", 1980.
constexpr double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
constexpr double quarter_1 = 0x1.921fb54400000p+0, quarter_2 = 0x1.0b4611a600000p-34, quarter_3 = 0x1.3198a2e037073p-69;
constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

// The nearest whole number, for |x| < 2^51: a sum of this size has no digits after the point.
double nearest(double x) {
  constexpr double large = 0x1.8p52;
  return (x + large) - large;
}

// 2^n for -1022 <= n <= 1023
double power_of_two(int n) { return std::bit_cast<double>(static_cast<uint64_t>(n + 1023) << 52); }

// c0 + c1 x + c2 x^2 + ... with c[k] = 1 / (first + step k)!, alternating in sign if `alternating`.
template <int terms, int first, int step, bool alternating>
double factorial_series(double x) {
  constexpr auto c = [] {
    struct {
      double at[terms];
    } made{};
    for (int k = 0; k < terms; ++k) {
      double factorial = 1;
      for (int i = 2; i <= first + step * k; ++i) factorial *= i;
      made.at[k] = (alternating && k % 2 == 1 ? -1 : 1) / factorial;
    }
    return made;
  }();
  double sum = c.at[terms - 1];
  for (int k = terms - 2; k >= 0; --k) sum = sum * x + c.at[k];
  return sum;
}

// exp(r) - 1 for |r| <= 0.35
double small_expm1(double r) { return r + r * r * factorial_series<13, 2, 1, false>(r); }

// log((1 + s) / (1 - s)) - 2 s for |s| < 0.18: 2 s (s^2 / 3 + s^4 / 5 + ...)
double log_rest(double s) {
  const double z = s * s;
  double sum = 1.0 / 25;
  for (int odd = 23; odd >= 3; odd -= 2) sum = sum * z + 1.0 / odd;
  return 2 * s * z * sum;
}

double small_sin(double r) { return r - r * r * r * factorial_series<9, 3, 2, true>(r * r); }
double small_cos(double r) {
  const double z = r * r, half = z / 2, one = 1 - half;
  return one + (((1 - one) - half) + z * z * factorial_series<9, 4, 2, true>(z));
}

// sin for quarter 0, cos for quarter 1: of x + quarter pi / 2
double turned(double x, int quarter) {
  if (!std::isfinite(x)) return nan;
  const double n = nearest(x * (2 / std::numbers::pi));
  const double r = ((x - n * quarter_1) - n * quarter_2) - n * quarter_3;
  const int which = static_cast<int>(n - 4 * std::floor(n / 4)) + quarter;
  const double value = which % 2 == 0 ? small_sin(r) : small_cos(r);
  return which % 4 < 2 ? value : -value;
}
}  // namespace

double exp(double x) {
  if (std::isnan(x)) return x;
  if (x > 710) return infinity;
  if (x < -746) return 0;
  const double n = nearest(x * std::numbers::log2e);
  // 2^n in two factors, since n is at most 1024 and at least -1077
  const int first = static_cast<int>(n) / 2, second = static_cast<int>(n) - first;
  return (1 + small_expm1((x - n * ln2_high) - n * ln2_low)) * power_of_two(first) * power_of_two(second);
}

float exp(float x) {
  if (std::isnan(x)) return x;
  if (x > 89) return std::numeric_limits<float>::infinity();
  if (x < -104) return 0;
  const double wide = static_cast<double>(x), n = nearest(wide * std::numbers::log2e), r = wide - n * std::numbers::ln2;
  return static_cast<float>((1 + (r + r * r * factorial_series<8, 2, 1, false>(r))) *
                            power_of_two(static_cast<int>(n)));
}

double expm1(double x) { return std::abs(x) < 0.34 ? small_expm1(x) : exp(x) - 1; }

double log(double x) {
  if (std::isnan(x) || x == infinity) return x;
  if (x <= 0) return x == 0 ? -infinity : nan;
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // 0.5 <= m < 1
  if (m < std::numbers::sqrt2 / 2) m *= 2, --exponent;
  const double s = (m - 1) / (m + 1), n = exponent;
  return n * ln2_high + (2 * s + (log_rest(s) + n * ln2_low));
}

double log1p(double x) {
  if (x > -0.29 && x < 0.41) {
    const double s = x / (2 + x);
    return 2 * s + log_rest(s);
  }
  const double u = 1 + x;
  return std::isfinite(u) && u > 0 ? log(u) + (x - (u - 1)) / u : log(u);
}

double tanh(double x) {
  if (std::abs(x) > 20) return x > 0 ? 1 : -1;
  const double e = expm1(2 * x);
  return e / (e + 2);
}

double sin(double x) { return turned(x, 0); }
double cos(double x) { return turned(x, 1); }

// Below 2.5 by the series erf(x) = 2 / sqrt(pi) exp(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...), whose terms are all
// positive; above by the continued fraction (Abramowitz and Stegun 7.1.6 and 7.1.14).
double erfc(double x) {
  if (std::isnan(x)) return x;
  if (x < 0) return 2 - erfc(-x);
  if (x > 27) return 0;
  const double z = x * x;
  if (x < 2.5) {
    double term = x, sum = x;
    for (int n = 1; n < 60; ++n) {
      term *= 2 * z / (2 * n + 1);
      sum += term;
    }
    return 1 - 2 * std::numbers::inv_sqrtpi * exp(-z) * sum;
  }
  double fraction = x;
  for (int k = 80; k > 0; --k) fraction = x + k / 2.0 / fraction;
  return std::numbers::inv_sqrtpi * exp(-z) / fraction;
}

double pow(double base, double exponent) { return exp(exponent * log(base)); }

double power(double base, uint64_t exponent) {
  double result = 1;
  for (double square = base; exponent > 0; exponent >>= 1, square *= square)
    if (exponent & 1) result *= square;
  return result;
}

}  // namespace statera::plain
