// The states at which a training batch ended, detached from its tape: the start of the next batch of the same lanes.
#pragma once
#include <vector>

#include "statera/tensor.hpp"

namespace statera {

struct CarriedState {
  std::vector<std::vector<Tensor>> layers;  // [layer][tensor], [S, ...]; empty: zeros
  bool empty() const { return layers.empty(); }
  void clear() { layers.clear(); }
};

}  // namespace statera
