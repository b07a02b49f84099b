// The training loss.
#pragma once
#include <cstdint>
#include <span>

#include "statera/tape.hpp"

namespace statera {

// Cross entropy in nats: the sum of -log p(target) over the counted targets, divided by `denominator`, or by the number
// of counted targets where `denominator` is 0. logits [N, V]; targets [N] in [0, V), or -1 for a row that does not
// count. Returns a scalar [1]. Throws ErrorCode::shape if there is not one target per row, or a target is out of range.
Var cross_entropy(Tape&, Var logits, std::span<const int32_t> targets, int64_t denominator = 0);
int64_t counted_targets(std::span<const int32_t> targets);  // the number of targets that are not -1

}  // namespace statera
