// Sequences of one model that stand at any place without having read what comes before it: for measuring what a call
// costs there.
#pragma once
#include <cstdint>
#include <vector>

#include "core/arena.hpp"
#include "mixers/state.hpp"
#include "statera/model.hpp"

namespace statera {

// Their states are made, not read in; zeros take the time that values would. Borrows the model. Not thread safe.
class Sequences {
 public:
  Sequences(const Model& model, int64_t batch);

  // Makes room up to `context` and puts every sequence `rows` before it. Layers with a window keep no more than they
  // can see.
  void place(int64_t context, int64_t rows);
  // Seconds that one call takes in which each sequence reads the `rows` positions before `context`. place() comes
  // before each call.
  double read(int64_t context, int64_t rows);

  double bytes() const;       // of all states
  double step_bytes() const;  // what a step reads of the states, and what it writes back of fixed ones

 private:
  const Model& model_;
  std::vector<State> states_;
  std::vector<State*> pointers_;
  Arena scratch_;
};

}  // namespace statera
