// What running a model costs: seconds of a step and bytes of state by context, and bytes a second. Several models are
// taken in turn, several times, so that a busy minute favours none; figures are medians.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "statera/data.hpp"
#include "statera/model.hpp"

namespace statera {

constexpr int64_t shortest_context = 256, longest_context = 65536;

struct ContextCost {
  int64_t context;
  double step_seconds;
  int64_t state_bytes;
};

// At contexts 256, 512 ... 65,536 and those of `more`, ascending, attention seeing all of it: the price of exact
// recall. The states are made, not read in (their zeros take the time that values would). A context whose state would
// take more than 4 GiB is left out. [models][contexts]; empty when stopped.
std::vector<std::vector<ContextCost>> step_costs(std::span<const Model* const> models,
                                                 std::span<const int64_t> more = {},
                                                 const std::function<bool()>& stop = {});

struct StreamSpeed {
  double prefill_bytes_per_second = 0;  // 2,048 bytes at once (fewer if the source is shorter), from an empty state
  double step_bytes_per_second = 0;     // one at a time, behind 256
};
std::vector<StreamSpeed> stream_speeds(std::span<const Model* const> models, const ByteSource& source,
                                       const std::function<bool()>& stop = {});

}  // namespace statera
