// The cost of a text with PPMd, which has already read the training text and goes on learning. Takes the best of
// several orders.
#pragma once
#include <functional>
#include <vector>

#include "lab/ppmd/ppmd.hpp"
#include "statera/data.hpp"

namespace statera {

struct PpmdCostOptions {
  std::vector<int> orders = {3, 6, 10, 16};
  int64_t memory = PpmdOptions{}.memory;
  std::function<void()> often;  // called a few times per second; what it throws ends the measurement
};

struct PpmdCost {
  int order = 0;
  double bits_per_byte = 0;
  std::vector<float> nats;  // [bytes held out] the cost of each byte
  int64_t train_bytes = 0;  // how many of the last training bytes it learned from, as many as its memory holds
};

PpmdCost ppmd_cost(const ByteSource& train, const ByteSource& held_out, const PpmdCostOptions& options = {});

}  // namespace statera
