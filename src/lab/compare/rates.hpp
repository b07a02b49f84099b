// Which learning rate to try next, so that few trials find a good one wherever it lies.
#pragma once
#include <span>

namespace statera {

struct TriedRate {
  double lr, bits_per_byte;  // infinite bits: it diverged
};

// `tried` in ascending order of lr. First `usual`; then beyond the better end by factors of four, until the best has neighbours on both sides;
// then between it and the better neighbour. Two digits, so that all models of one size try from the same grid. A rate that was
// tried already: there is nothing left between two neighbours.
double next_rate(std::span<const TriedRate> tried, double usual);

}  // namespace statera
