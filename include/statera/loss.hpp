// The training loss.
#pragma once
#include <cstdint>
#include <span>

#include "statera/tape.hpp"

namespace statera {

// Negative log likelihood in nats: the sum over counted targets, divided by `denominator` (0: by how many there are). A
// scalar [1]. logits [N, V], targets [N] in [0, V), or -1 for a position that does not count.
Var cross_entropy(Tape&, Var logits, std::span<const int32_t> targets, int64_t denominator = 0);
int64_t counted_targets(std::span<const int32_t> targets);

}  // namespace statera
