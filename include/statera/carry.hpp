// Truncated backpropagation through time: the states that the lanes of one batch pass to the lanes of the next.
//
//   CarriedState state;
//   for (int64_t step = 0; step < steps; ++step) {
//     const Batch batch = stream.next(step);  // Order::lanes
//     sequences_from_lanes(batch.inputs, length, state);
//     Var logits = model.forward(tape, batch.inputs, {.initial = &state, .last = &state});
//     ...
//     lanes_from_sequences(batch.inputs, length, state);
//   }
#pragma once
#include "statera/model.hpp"
#include "statera/tokens.hpp"

namespace statera {

// Lane b has the rows [b * length, (b + 1) * length) of a batch. It may hold several sequences, the last of which
// continues in the next batch. lanes_from_sequences() keeps, of the states of all sequences of `tokens`, those of each
// lane's last one. Throws ErrorCode::shape if `state` is not that of the sequences of `tokens`.
void lanes_from_sequences(const Tokens& tokens, int64_t length, CarriedState& state);
// Turns the states of lanes into states of the sequences of `tokens`. A new sequence gets some state too, which nobody
// reads. Throws ErrorCode::shape if `state` is not that of so many lanes.
void sequences_from_lanes(const Tokens& tokens, int64_t length, CarriedState& state);

}  // namespace statera
