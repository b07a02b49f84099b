// What a whole model remembers of one sequence: one State a layer.
#pragma once
#include <vector>

#include "mixers/state.hpp"

namespace statera {

struct SequenceState {
  std::vector<State> layers;

  // Rows that were advanced, `begin` included; all layers agree.
  int64_t rows() const { return layers.empty() ? 0 : layers.front().position(); }
  size_t bytes() const {
    size_t total = 0;
    for (const State& layer : layers) total += layer.bytes();
    return total;
  }
  void clear() {
    for (State& layer : layers) layer.clear();
  }
};

}  // namespace statera
