// Differences with their standard errors.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace statera {

// Standard error of the mean of independent values, s / sqrt(n); 0 for fewer than two.
double standard_error(std::span<const double> values);

// How many standard errors of a mean of n values make half a 95 % interval: Student's t with n - 1 degrees of freedom,
// from 12.7 for two values towards 1.96 for many (beyond three degrees by the Cornish-Fisher expansion, Abramowitz and
// Stegun 26.7.5; within 0.5 %). Throws ErrorCode::shape for n < 2.
double errors_for_95_percent(int64_t n);

struct PairedDifference {
  double mean = 0;            // bits per byte of a minus b
  double standard_error = 0;  // of the mean
};

// Compares the costs (nats per byte, [n] each) of a and b on the same bytes. The text is cut into blocks of `block`
// bytes; the last one may be shorter and counts by its length. The error assumes that the differences of blocks are
// independent, so a block should be longer than a topic or a format. Fewer than about ten blocks give a rough error.
// Throws ErrorCode::shape if the lengths differ or are 0.
PairedDifference paired_difference(std::span<const float> a, std::span<const float> b, int64_t block);

}  // namespace statera
