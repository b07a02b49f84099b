#include "counts/logistic.hpp"

namespace statera::counts {
namespace {

// e^-1/256 in units of 2^-32, from its series: 1 - 1/256 + 1/(2 256^2) - ...
uint64_t step_down() {
  const int64_t one = int64_t{1} << 48;
  int64_t sum = one, term = one;
  for (int64_t k = 1; k < 8; ++k) term = -term / (256 * k), sum += term;
  return static_cast<uint64_t>(sum >> 16);
}

Logistic make() {
  Logistic tables;
  const uint64_t one = uint64_t{1} << 32, down = step_down();
  uint64_t power = one;  // e^(-x / 256)
  for (int32_t x = 0; x <= stretch_limit; ++x) {
    const uint64_t p = ((uint64_t{1} << 49) / (one + power) + 1) >> 1;
    const auto upper = static_cast<uint16_t>(std::min<uint64_t>(p, 65535));
    tables.squash[static_cast<size_t>(stretch_limit + x)] = upper;
    tables.squash[static_cast<size_t>(stretch_limit - x)] = static_cast<uint16_t>(65536 - upper);
    power = (power * down + (one >> 1)) >> 32;
  }
  // The inverse: the middle of the x that have the probability, or the nearest where none has.
  int32_t first = -stretch_limit;
  for (uint32_t p = 0; p < 65536; ++p) {
    while (first < stretch_limit && tables.squash[static_cast<size_t>(first + stretch_limit)] < p) ++first;
    int32_t last = first;
    while (last < stretch_limit && tables.squash[static_cast<size_t>(last + 1 + stretch_limit)] <= p) ++last;
    tables.stretch[p] = static_cast<int16_t>((first + last) / 2);
  }
  return tables;
}

}  // namespace

const Logistic& logistic() {
  static const Logistic tables = make();
  return tables;
}

}  // namespace statera::counts
