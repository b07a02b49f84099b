// The walk over chunks: a scan cuts the rows of each sequence where its chunks end. Chunks are counted from the start
// of the sequence, not of the call. So a long prompt may be cut into calls at the end of any chunk, and no bit changes.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/rows.hpp"

namespace statera {

// Rows of one sequence in one chunk. `row` counts from the first row of the call.
struct Piece {
  int64_t row, length;
};

// The pieces of sequence s in this call, in order; none if it has no rows here. `chunk`: positions per chunk. Only the
// first and the last piece may be shorter than a chunk.
class Pieces {
 public:
  Pieces(const Rows& rows, int64_t s, int64_t chunk)
      : begin_(rows.begin(s)),
        length_(rows.length(s)),
        first_(std::min(length_, chunk - rows.start[static_cast<size_t>(s)] % chunk)),
        chunk_(chunk) {}
  int64_t count() const { return length_ == 0 ? 0 : 1 + (length_ - first_ + chunk_ - 1) / chunk_; }
  Piece operator[](int64_t i) const {
    const int64_t begin = i == 0 ? 0 : first_ + (i - 1) * chunk_;
    return {begin_ + begin, i == 0 ? first_ : std::min(chunk_, length_ - begin)};
  }

 private:
  int64_t begin_, length_, first_, chunk_;  // first_: rows of the first piece
};

}  // namespace statera
