// The training loss.
#pragma once
#include <cstdint>
#include <span>

#include "statera/tape.hpp"

namespace statera {

// Negative log likelihood in nats: the mean over counted positions, times `weight` (a batch's share of an accumulated step). A scalar [1].
// logits [N, V], targets [N] in [0, V), or -1 for a position that does not count.
Var cross_entropy(Tape&, Var logits, std::span<const int32_t> targets, double weight = 1);

}  // namespace statera
