// Byte n-gram models, interpolated with the estimator of Witten and Bell (method C): what a text costs without a neural
// network.
//
//   p_k(w | h) = (c(hw) + T(h) p_{k-1}(w | h')) / (c(h) + T(h)),   p_{-1} = 1/256
//
// h is the k bytes before w, and h' is h without its first byte. c counts occurrences in the training text. T(h) is the
// number of different bytes that followed h there. If h never occurred, or reaches beyond the beginning of its
// document, p_k is p_{k-1}. Each order is measured twice: frozen, where it learns nothing from the held-out text, and
// learning, where each held-out byte is counted after it has been predicted.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "statera/data.hpp"

namespace statera {

struct NgramOptions {
  int max_order = 5;  // the highest order, at most 6
  // an order whose counts need more memory is skipped, and so are those above it
  int64_t max_table_bytes = int64_t{1} << 30;
  std::function<void()> often;  // called a few times per second; what it throws ends the measurement
};

struct NgramCost {
  std::vector<double> bits_per_byte;  // [orders] of order 0, 1, ... on the held-out text, frozen
  std::vector<double> learning;       // [orders] the same, learning
  int best_learning = 0;              // the order with the lowest cost when learning
  std::vector<float> nats;            // [bytes held out] the cost of each byte with that order, learning
  std::string note;                   // one line about what was left out; empty if nothing was
};

// Throws ErrorCode::config if max_order is out of range.
NgramCost ngram_cost(const ByteSource& train, const ByteSource& held_out, const NgramOptions& options = {});

}  // namespace statera
