// What bytes cost a model that goes on learning from what it has read, as a compressor does (dynamic evaluation:
// Krause, Kahembwe, Murray and Renals, "Dynamic evaluation of neural sequence models", 2018). A segment is scored
// first, as the frozen model would be (stream_cost.hpp), and then trained on, as in training: a window from an empty
// state. So no byte is ever predicted by a model that has seen it. States and keys of what was read before a step stay
// as they were; a document begins from nothing, and with what was learned so far.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "statera/data.hpp"
#include "statera/model.hpp"

namespace statera {

struct LearningOptions {
  int64_t length = 512;  // bytes of a segment: one step of the optimizer each
  float lr = 1e-3f;      // of AdamW, without weight decay, from empty means
};

// nats [bytes] of the first `max_bytes` of the source; shorter if `stop` ended it. The model must have gradients
// (ModelOptions::training), and leaves with what it learned. Throws numeric if a gradient is not finite.
std::vector<float> learning_cost(Model& model, const ByteSource& source, int64_t max_bytes,
                                 const LearningOptions& options, const std::function<bool()>& stop = {});

}  // namespace statera
