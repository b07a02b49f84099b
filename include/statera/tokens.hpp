// What a model reads: the ids of several sequences, one after the other.
#pragma once
#include <cstdint>
#include <vector>

namespace statera {

struct Tokens {
  std::vector<int32_t> ids;      // [N]
  std::vector<int32_t> offsets;  // [S+1] where each sequence begins; the last entry is N
  std::vector<int64_t> start;    // [S] the place of its first id within its sequence; 0: a new one
};

}  // namespace statera
