// Sequences of one model at any position, without reading the text before it: for measuring what a call costs there.
#pragma once
#include <cstdint>
#include <vector>

#include "core/arena.hpp"
#include "mixers/state.hpp"
#include "statera/model.hpp"

namespace statera {

// The states are put at their positions; their zeros take as long to process as real values. Owns the states, borrows
// the model. Not thread safe.
class Sequences {
 public:
  Sequences(const Model& model, int64_t batch);

  // Makes room up to `context` and puts every sequence `rows` positions before it. Layers with a window keep only what
  // they can see.
  void place(int64_t context, int64_t rows);
  // Seconds of one call in which each sequence reads the `rows` positions before `context`. Call place() before each
  // call.
  double read(int64_t context, int64_t rows);

  double bytes() const;       // of all states
  double step_bytes() const;  // what a step reads of the states, plus what it writes back of fixed tensors

 private:
  const Model& model_;
  std::vector<State> states_;
  std::vector<State*> pointers_;
  Arena scratch_;
};

}  // namespace statera
