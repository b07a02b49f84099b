// For operations with a state: how kernels find the state of each sequence. One kernel serves training, where the
// states are the rows of one tensor, and inference, where every sequence brings its own.
#pragma once
#include "core/arena.hpp"
#include "core/rows.hpp"
#include "statera/tensor.hpp"

namespace statera {

// Pointers to the S states of a tensor [S, ...]; null for an empty View.
template <class T>
T** state_pointers(Arena& arena, const View& states) {
  if (states.empty()) return nullptr;
  T** pointers = arena.allocate_array<T*>(states.rows());
  for (int64_t s = 0; s < states.rows(); ++s) pointers[s] = states.as<T>() + s * states.stride;
  return pointers;
}

// Copies the S pointers that inference brings, with their type.
template <class T>
T** state_pointers(Arena& arena, void* const* states, const Rows& rows) {
  T** pointers = arena.allocate_array<T*>(rows.sequences());
  for (int64_t s = 0; s < rows.sequences(); ++s) pointers[s] = static_cast<T*>(states[s]);
  return pointers;
}

// The state that sequence s begins with; null: zeros. A sequence that starts at position 0 is new, so its state is not
// read.
template <class T>
const T* initial_state(const T* const* states, const Rows& rows, int64_t s) {
  return states && rows.start[static_cast<size_t>(s)] > 0 ? states[s] : nullptr;
}

}  // namespace statera
