// What a model reads: the ids of several sequences, one after the other.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace statera {

struct Tokens {
  std::vector<int32_t> ids;      // [N]
  std::vector<int32_t> offsets;  // [S+1] where each sequence begins; the last entry is N
  std::vector<int64_t> start;    // [S] the place of its first id within its sequence; 0: a new one
};

// What training reads at once; borrowed from whoever made it.
struct Batch {
  const Tokens& inputs;
  std::span<const int32_t> targets;  // [N] the id to predict; -1: not counted
  int64_t bytes = -1;                // that the counted targets stand for; negative: one for each
};

}  // namespace statera
