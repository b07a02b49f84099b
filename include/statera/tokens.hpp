// The input of a model: ids of one or more sequences, one sequence after the other.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace statera {

struct Tokens {
  std::vector<int32_t> ids;      // [N]
  std::vector<int32_t> offsets;  // [S+1] where each sequence begins; the last entry is N
  std::vector<int64_t> start;    // [S] position of its first id within the sequence; 0: a new sequence
};

// How much an inner stack, which reads segments of the sequences, read in a batch.
struct InnerRows {
  int64_t read = 0, of = 0;  // positions that it read, one per segment; positions of the stack around it
};

// One batch of training data. Borrows from whoever made it (such as BatchStream::next()), until that makes another.
struct Batch {
  const Tokens& inputs;
  std::span<const int32_t> targets;  // [N] the id to predict in each row; -1: the row does not count
  int64_t bytes = -1;                // bytes that the counted targets stand for; negative: one byte per target
};

}  // namespace statera
