// Bits per byte by place in the context: windows that are read from an empty state tell whether more context helps a
// model, also past the context that it was trained with.
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

// Windows of `longest`, longest / 4 ... 256 bytes, about max_bytes / 4 of each and at least one, spread evenly over the
// source: the early places would be few if all windows were long. A window ends with its document. Stops early, with
// what there is, when asked to.
std::vector<PositionCost> by_position(const Model& model, const ByteSource& source, int64_t longest, int64_t max_bytes,
                                      const std::function<bool()>& stop = {});

}  // namespace statera
