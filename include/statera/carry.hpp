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

// Lane b has the rows [b * length, (b + 1) * length) of a batch. It may hold several sequences; only the last one
// continues in the next batch. lanes_from_sequences() takes the states of all sequences of `tokens` and keeps that of
// the last sequence in each lane. Throws ErrorCode::shape if `state` has another number of sequences than `tokens`.
void lanes_from_sequences(const Tokens& tokens, int64_t length, CarriedState& state);
// The reverse: gives each sequence of `tokens` the state of its lane. A sequence that starts at 0 gets one too, which
// nobody reads. Throws ErrorCode::shape if `state` has another number of lanes than `tokens`.
void sequences_from_lanes(const Tokens& tokens, int64_t length, CarriedState& state);

}  // namespace statera
