// Recall: how much a model gains on the second copy of a passage, by the distance between the copies.
//
//   with:    P F[0:d-p] P        control:    Q F[0:d-p] P        gain = (cost of the last P in control - with) / p
//
// P is a passage of p bytes of held-out text, F the text that follows it, and Q another passage in place of the first
// copy, so that only the copy can explain the gain. d is the distance from the beginning of the first P to that of the
// second.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "statera/data.hpp"
#include "statera/model.hpp"

namespace statera {

struct RecallGain {
  int64_t distance;       // 256, 512 ... 16,384 bytes, as far as the source is long enough
  double gain;            // bits per byte, mean over passages
  double standard_error;  // over passages; 0 if there is one
};

constexpr int64_t recall_passage = 128, recall_shortest = 256, recall_longest = 16384;
// How many positions a passage costs: both streams to the end, and a copy at each distance.
constexpr int64_t recall_positions = 2 * (recall_longest + 7 * recall_passage);

// The passages are spread evenly over the longest document. Empty if it is too short for one. If `stop` returns true,
// leaves out the rest.
std::vector<RecallGain> recall(const Model& model, const ByteSource& source, int64_t passages,
                               const std::function<bool()>& stop = {});

}  // namespace statera
