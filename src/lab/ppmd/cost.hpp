// What a text costs with PPMd that has already read the text to train on, and goes on learning: the order that costs
// least.
#pragma once
#include <functional>
#include <vector>

#include "lab/ppmd/ppmd.hpp"
#include "statera/data.hpp"

namespace statera {

struct PpmdCostOptions {
  std::vector<int> orders = {3, 6, 10, 16};
  int64_t memory = PpmdOptions{}.memory;
  std::function<void()> often;  // called a few times a second; may throw, which ends it
};

struct PpmdCost {
  int order = 0;
  double bits_per_byte = 0;
  std::vector<float> nats;  // [bytes held out] of each byte
  int64_t train_bytes = 0;  // that this order learned from: the last so many, as many as its memory holds
};

PpmdCost ppmd_cost(const ByteSource& train, const ByteSource& held_out, const PpmdCostOptions& options = {});

}  // namespace statera
