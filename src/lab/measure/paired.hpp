// Differences with their standard errors.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace statera {

// Of the mean of independent values: s / sqrt(n); 0 for fewer than two.
double standard_error(std::span<const double> values);

// So many standard errors of a mean of n values hold 95 % of what it may be: Student's t with n - 1 degrees of
// freedom, 12.7 for two values, towards 1.96 for many (Cornish-Fisher expansion, Abramowitz and Stegun 26.7.5, beyond
// three degrees; within 0.5 %). Throws shape for n < 2.
double errors_for_95_percent(int64_t n);

struct PairedDifference {
  double mean = 0;            // bits per byte of a minus b
  double standard_error = 0;  // of it
};

// What a costs more than b on the same bytes (nats each, [n] both). The text is cut into blocks of `block` bytes, the
// last one may be shorter and counts by its length; the error takes the blocks' differences for independent, so a block
// should be long beside the reach of a topic or a format. Few blocks (fewer than about ten) give a rough error. Throws
// shape if the lengths differ or are 0.
PairedDifference paired_difference(std::span<const float> a, std::span<const float> b, int64_t block);

}  // namespace statera
