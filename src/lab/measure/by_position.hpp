// Bits per byte by position in the context. Windows that are read from an empty state show whether more context helps a
// model, also beyond the context that it was trained with.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "statera/data.hpp"
#include "statera/model.hpp"

namespace statera {

struct PositionCost {
  int64_t from, to;      // positions [from, to) in a window: 0-1, 1-2, 2-4, 4-8 ...
  double bits_per_byte;  // mean over windows
  int64_t bytes;         // number of bytes in the mean
};

// Reads windows of `longest`, longest / 4, ... 256 bytes, about max_bytes / 4 of each and at least one, spread evenly
// over the source. With long windows only, there would be few early positions. A window ends with its document. If
// `stop` returns true, returns what there is.
std::vector<PositionCost> by_position(const Model& model, const ByteSource& source, int64_t longest, int64_t max_bytes,
                                      const std::function<bool()>& stop = {});

}  // namespace statera
