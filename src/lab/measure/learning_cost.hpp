// The cost of bytes for a model that goes on learning from what it has read, as a compressor does (dynamic evaluation:
// Krause, Kahembwe, Murray and Renals, "Dynamic evaluation of neural sequence models", 2018). Each segment is first
// scored as by the frozen model (stream_cost.hpp) and then trained on, as a window from an empty state. So no byte is
// predicted by a model that has seen it. States and keys from before a step stay as they are. A document begins from an
// empty state, with the weights learned so far.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "statera/data.hpp"
#include "statera/model.hpp"

namespace statera {

struct LearningOptions {
  int64_t length = 512;  // bytes per segment; the optimizer makes one step per segment
  float lr = 1e-3f;      // of AdamW, without weight decay, starting from zero means
};

// Returns nats [bytes] of the first `max_bytes` of the source, fewer if stopped. The model must have gradients
// (ModelOptions::training) and keeps what it learned. Throws ErrorCode::numeric if a gradient is not finite.
std::vector<float> learning_cost(Model& model, const ByteSource& source, int64_t max_bytes,
                                 const LearningOptions& options, const std::function<bool()>& stop = {});

}  // namespace statera
