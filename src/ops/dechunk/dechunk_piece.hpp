// A part of the fast path of dechunk: how backward is divided into tasks.
#pragma once
#include <cstdint>

namespace statera {

// What one task of backward works with: the channels [begin, begin + count) of sequence s.
struct DechunkPiece {
  int64_t s, begin, count;
  float* smoothed;  // [M, D] of the whole batch
  float* g;         // [count] of this task
  float* dp;        // [N] what the piece adds; null: not needed
};

}  // namespace statera
