#include "lab/measure/paired.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/check.hpp"

namespace statera {

double standard_error(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  if (n < 2) return 0;
  double mean = 0, squares = 0;
  for (double v : values) mean += v / n;
  for (double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / (n - 1) / n);
}

double errors_for_95_percent(int64_t n) {
  require(n >= 2, ErrorCode::shape, "[paired] ", n, " values have no spread");
  constexpr double few[] = {12.7062, 4.3027, 3.1824};
  if (n <= 4) return few[n - 2];
  constexpr double z = 1.959964;
  const auto v = static_cast<double>(n - 1);
  const double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v);
}

PairedDifference paired_difference(std::span<const float> a, std::span<const float> b, int64_t block) {
  require(a.size() == b.size() && !a.empty() && block > 0, ErrorCode::shape, "[paired] ", a.size(), " and ", b.size(),
          " costs in blocks of ", block, " cannot be paired");
  const auto n = static_cast<double>(a.size());
  std::vector<double> means, lengths;
  double total = 0;
  for (size_t begin = 0; begin < a.size(); begin += static_cast<size_t>(block)) {
    const size_t end = std::min(a.size(), begin + static_cast<size_t>(block));
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum /= std::numbers::ln2;
    total += sum;
    means.push_back(sum / static_cast<double>(end - begin));
    lengths.push_back(static_cast<double>(end - begin));
  }
  PairedDifference d{.mean = total / n};
  if (means.size() < 2) return d;
  // the variance of a weighted mean with the lengths as weights; s / sqrt(blocks) if all are equal
  double squares = 0;
  for (size_t i = 0; i < means.size(); ++i) squares += std::pow(lengths[i] / n * (means[i] - d.mean), 2);
  const auto blocks = static_cast<double>(means.size());
  d.standard_error = std::sqrt(squares * blocks / (blocks - 1));
  return d;
}

}  // namespace statera
