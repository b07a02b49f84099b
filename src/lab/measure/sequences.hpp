// Sequences of one model at any position, without reading the text before it: for measuring what a call costs there.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/arena.hpp"
#include "mixers/state.hpp"
#include "statera/model.hpp"

namespace statera {

// The states are put at their positions; their zeros take as long to process as real values. An inner stack is put
// where the model's own router would have brought it, at the pace at which it cuts the first 1,024 ids. Owns the
// states, borrows the model. Not thread safe.
class Sequences {
 public:
  // `ids`: what is read, again and again; where a router cuts depends on it. Empty: the letter e.
  Sequences(const Model& model, int64_t batch, std::span<const int32_t> ids = {});

  // Makes room up to `context` and puts every sequence `rows` positions before it. Layers with a window keep only what
  // they can see.
  void place(int64_t context, int64_t rows);
  // Seconds of one call in which each sequence reads the `rows` positions before `context`. Call place() before each
  // call.
  double read(int64_t context, int64_t rows);
  // Seconds of a step at `context`. With inner stacks it is the mean over 24 steps, since they do not advance with
  // each.
  double step(int64_t context);

  const State& first() const { return states_.front(); }  // the state of the first sequence
  double bytes() const;                                   // of all states
  double step_bytes() const;  // what a step reads of the states, plus what it writes back of fixed tensors

 private:
  size_t clocks() const { return states_.front().layout().clocks; }

  const Model& model_;
  std::vector<int32_t> ids_;
  size_t next_ = 0;            // the id to read next
  std::vector<double> paces_;  // positions of clock 1, 2, ... per position of clock 0
  std::vector<State> states_;
  std::vector<State*> pointers_;
  Arena scratch_;
};

}  // namespace statera
