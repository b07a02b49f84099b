// A ragged batch: the positions of S sequences, one after the other, are the rows of every activation [N, C]. Borrows
// its arrays.
#pragma once
#include <cstdint>
#include <span>

#include "core/check.hpp"

namespace statera {

struct Rows {
  // [S+1] where the rows of each sequence begin; the last entry is N. A sequence may have no rows.
  std::span<const int32_t> offsets;
  // [S] the position of the first row of each sequence. 0: a new sequence, which starts from a zero state.
  std::span<const int64_t> start;
  // Rows before which a chunk ends even if it is not full, in ascending order. An inner stack has them where the stack
  // around it may be cut, since its own positions do not say where that is.
  std::span<const int32_t> breaks = {};

  int64_t sequences() const { return static_cast<int64_t>(start.size()); }
  int64_t total() const { return offsets.empty() ? 0 : offsets.back(); }
  int64_t begin(int64_t s) const { return offsets[static_cast<size_t>(s)]; }
  int64_t length(int64_t s) const { return offsets[static_cast<size_t>(s) + 1] - offsets[static_cast<size_t>(s)]; }
};

// Throws ErrorCode::shape unless the offsets rise from 0 to `total`, no start is negative, and the breaks rise within
// the rows.
inline void check_rows(const char* place, const Rows& rows, int64_t total) {
  require(rows.offsets.size() == rows.start.size() + 1 && rows.offsets[0] == 0 && rows.total() == total,
          ErrorCode::shape, "[", place, "] the rows of ", rows.sequences(), " sequences end at ", rows.total(),
          " but the input has ", total);
  for (int64_t s = 0; s < rows.sequences(); ++s)
    require(rows.length(s) >= 0 && rows.start[static_cast<size_t>(s)] >= 0, ErrorCode::shape, "[", place, "] sequence ",
            s, " has a negative length or start");
  int64_t last = -1;
  for (const int32_t row : rows.breaks) {
    require(row > last && row < total, ErrorCode::shape, "[", place, "] the breaks do not rise, or lie outside of ",
            total, " rows");
    last = row;
  }
}

}  // namespace statera
