// Byte n-gram models, interpolated by the estimator of Witten and Bell (method C): what a text costs without a neural
// network.
//
//   p_k(w | h) = (c(hw) + T(h) p_{k-1}(w | h')) / (c(h) + T(h)),   p_{-1} = 1/256
//
// h: the k bytes before w; h': h without its first; c: counts in the text trained on; T(h): how many different bytes
// followed h there. A context that never occurred, or that a document's beginning cuts short, leaves p_{k-1} as it is.
// Each order twice: frozen, where the held-out text teaches nothing, and learning, where each of its bytes is counted
// too, once it has been predicted.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "statera/data.hpp"

namespace statera {

struct NgramOptions {
  int max_order = 5;                           // at most 6
  int64_t max_table_bytes = int64_t{1} << 30;  // an order whose counts need more is skipped, and those above it
  std::function<void()> often;                 // called a few times a second; may throw, which ends it
};

struct NgramCost {
  std::vector<double> bits_per_byte;  // [orders] of order 0, 1, ... on the held-out text, frozen
  std::vector<double> learning;       // [orders]
  int best_learning = 0;              // the order that costs least
  std::vector<float> nats;            // [bytes held out] of each byte, with that order
  std::string note;                   // a line about what was left out; empty if nothing was
};

// Throws config if max_order is out of range.
NgramCost ngram_cost(const ByteSource& train, const ByteSource& held_out, const NgramOptions& options = {});

}  // namespace statera
