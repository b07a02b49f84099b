// The states at which a training batch ended, detached from its tape: the start of the next batch of the same lanes.
#pragma once
#include <vector>

#include "statera/tensor.hpp"

namespace statera {

struct CarriedState {
  std::vector<Tensor> slots;       // by slot, [S, ...] each; empty: zeros for all
  std::vector<int64_t> positions;  // [clocks * S] that the inner stacks have read; of clock 0 unused
  bool empty() const { return slots.empty(); }
  void clear() { *this = {}; }
};

}  // namespace statera
