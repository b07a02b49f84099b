// What running a model costs: seconds per step and memory of the state by context, and bytes per second. Several models
// are measured in turn, several times, so that a busy minute favours none. Results are medians.
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
  int64_t context;      // bytes
  double step_seconds;  // per byte: a step, divided by the bytes that an id stands for
  int64_t state_bytes;
};

// Measures contexts 256, 512, ... 65,536 and those of `more`, in ascending order. Attention sees the whole context. The
// states are put at their positions without reading a text; their zeros take as long to process as real values. The
// steps read the beginning of the longest document of `source`, which decides where routers cut.
// Contexts whose state needs more than 4 GiB are left out. `bytes_per_id`, [models]: on average; empty: 1. Returns
// [models][contexts]; empty if stopped.
std::vector<std::vector<ContextCost>> step_costs(std::span<const Model* const> models, const ByteSource& source,
                                                 std::span<const int64_t> more = {},
                                                 std::span<const double> bytes_per_id = {},
                                                 const std::function<bool()>& stop = {});

struct StreamSpeed {
  int64_t prefill_bytes = 0;            // read at once, from an empty state
  double prefill_bytes_per_second = 0;  // of them
  double step_bytes_per_second = 0;     // one id at a time, after 256 bytes
};
// `contexts`, [models]: how many bytes each model reads at once: those of the context in which its quality is judged.
// They are the beginning of the longest document of `source`, again and again if it is shorter. Empty if stopped.
std::vector<StreamSpeed> stream_speeds(std::span<const Model* const> models, const ByteSource& source,
                                       std::span<const int64_t> contexts, const std::function<bool()>& stop = {});

}  // namespace statera
