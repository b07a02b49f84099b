// Bits per byte by place in the context: windows that are read from an empty state tell whether more context helps a model, also past the
// context that it was trained with.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "statera/data.hpp"
#include "statera/model.hpp"

namespace statera {

struct PositionCost {
  int64_t from, to;      // places [from, to) in a window: 0-1, 1-2, 2-4, 4-8 ...
  double bits_per_byte;  // the mean over windows
  int64_t bytes;         // counted
};

// Windows of up to `longest` bytes, spread evenly over the source, about `max_bytes` in all and at least one. A window ends with its
// document. Stops early, with what there is, when asked to.
std::vector<PositionCost> by_position(const Model& model, const ByteSource& source, int64_t longest, int64_t max_bytes, const std::function<bool()>& stop = {});

}  // namespace statera
