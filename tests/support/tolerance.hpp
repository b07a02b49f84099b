// How tests compare numbers. Tolerances are computed, not typed:
//   error(fast against double) <= 2 (1 + 1 / sqrt(2 n)) max(error(reference in the same dtype against double),
//   eps sqrt(length of the reduction))
// as relative L2 norms over a tensor of n elements. The reference's error is one draw of a random number: a norm of n
// independent errors scatters by about 1 / sqrt(2 n) of itself, so a tensor of two elements may have a lucky one.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "statera/tensor.hpp"

namespace statera::test {

inline std::vector<double> to_doubles(const View& v) {
  std::vector<double> out;
  out.reserve(static_cast<size_t>(v.elements()));
  for (int64_t row = 0; row < v.rows(); ++row)
    for (int64_t col = 0; col < v.cols(); ++col) {
      const int64_t i = row * v.stride + col;
      out.push_back(v.dtype == DType::f64 ? v.as<double>()[i] : static_cast<double>(v.as<float>()[i]));
    }
  return out;
}

inline double norm(const std::vector<double>& a) {
  double sum = 0;
  for (double x : a) sum += x * x;
  return std::sqrt(sum);
}

// |a - truth| / |truth|; |a| where the truth is all zero; infinity where a value is missing or NaN.
inline double relative_l2(const std::vector<double>& a, const std::vector<double>& truth) {
  if (a.size() != truth.size()) return std::numeric_limits<double>::infinity();
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - truth[i];
  const double d = norm(difference), t = norm(truth);
  if (!std::isfinite(d)) return std::numeric_limits<double>::infinity();
  return t > 0 ? d / t : d;
}

// max |a - truth| / max(1, max |truth|)
inline double max_error(const std::vector<double>& a, const std::vector<double>& truth) {
  if (a.size() != truth.size()) return std::numeric_limits<double>::infinity();
  double worst = 0, scale = 1;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - truth[i]);
    if (!(d <= std::numeric_limits<double>::max())) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, d);
    scale = std::max(scale, std::abs(truth[i]));
  }
  return worst / scale;
}

inline double computed_tolerance(double reference_error, int64_t reduction, size_t elements) {
  const double eps = std::numeric_limits<float>::epsilon(),
               scatter = 1 / std::sqrt(2 * static_cast<double>(std::max<size_t>(1, elements)));
  return 2 * (1 + scatter) *
         std::max(reference_error, eps * std::sqrt(static_cast<double>(std::max<int64_t>(1, reduction))));
}

}  // namespace statera::test
