// What a context remembers of one binary decision, in one byte: about how often 0 and 1 came, and which came last. The
// states are found by a rule at start-up (history.cpp), not listed.
#pragma once
#include <array>
#include <cstdint>

namespace statera::counts {

struct Histories {
  // [state][bit] the state after the bit
  std::array<std::array<uint8_t, 2>, 256> next;
  // [state][bit] 2^16 / (how many such bits it takes on average to reach `next`); the state stays where it is otherwise
  std::array<std::array<uint16_t, 2>, 256> chance;
  std::array<uint8_t, 256> zeros, ones;  // [state] the counts it stands for
  int states = 0;                        // 0: nothing seen
};

// Made at the first call; constant, so any thread may read it.
const Histories& histories();

}  // namespace statera::counts
