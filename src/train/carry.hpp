// Truncated backpropagation through time: what the lanes of one batch hand to those of the next.
#pragma once
#include "statera/model.hpp"
#include "statera/tokens.hpp"

namespace statera {

// Lane b has the rows [b * length, (b + 1) * length); a lane may hold several sequences, of which the last goes on in
// the next batch. The states of all sequences of `tokens` -> those of the lanes' last ones.
void lanes_from_sequences(const Tokens& tokens, int64_t length, CarriedState& state);
// The states of lanes -> those of the sequences of `tokens`; what a sequence gets that starts anew is never read.
void sequences_from_lanes(const Tokens& tokens, int64_t length, CarriedState& state);

}  // namespace statera
