#include "lab/compare/rates.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace statera {

namespace {
double two_digits(double lr) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", lr);
  return std::strtod(text, nullptr);
}
}  // namespace

double next_rate(std::span<const TriedRate> tried, double usual) {
  constexpr double wide = 4;
  if (tried.empty()) return two_digits(usual);
  const auto best = std::ranges::min_element(tried, {}, &TriedRate::bits_per_byte);
  if (best + 1 == tried.end() && std::isfinite(best->bits_per_byte)) return two_digits(best->lr * wide);
  if (best == tried.begin()) return two_digits(best->lr / wide);
  const TriedRate& neighbour = (best - 1)->bits_per_byte < (best + 1)->bits_per_byte ? *(best - 1) : *(best + 1);
  return two_digits(std::sqrt(best->lr * neighbour.lr));
}

}  // namespace statera
