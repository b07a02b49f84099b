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

// The pieces of sequence s in this call, in order; none if it has no rows here. `chunk`: positions per chunk. Pieces
// are shorter than a chunk only at both ends of the call and at both sides of a break. Borrows the breaks of the Rows.
// Immutable: may be read from several threads.
class Pieces {
 public:
  Pieces(const Rows& rows, int64_t s, int64_t chunk)
      : begin_(rows.begin(s)),
        end_(begin_ + rows.length(s)),
        start_(rows.start[static_cast<size_t>(s)]),
        chunk_(chunk),
        breaks_(rows.breaks) {
    while (!breaks_.empty() && breaks_.front() <= begin_) breaks_ = breaks_.subspan(1);
    while (!breaks_.empty() && breaks_.back() >= end_) breaks_ = breaks_.first(breaks_.size() - 1);
    for (size_t k = 0; k <= breaks_.size(); ++k) count_ += pieces_of(run(k));
  }
  int64_t count() const { return count_; }
  Piece operator[](int64_t i) const {
    size_t k = 0;
    for (; i >= pieces_of(run(k)); ++k) i -= pieces_of(run(k));
    const Piece all = run(k);
    const int64_t begin = i == 0 ? 0 : first_of(all) + (i - 1) * chunk_;
    return {all.row + begin, i == 0 ? first_of(all) : std::min(chunk_, all.length - begin)};
  }

 private:
  // the rows from one break to the next
  Piece run(size_t k) const {
    const int64_t from = k == 0 ? begin_ : breaks_[k - 1], to = k == breaks_.size() ? end_ : breaks_[k];
    return {from, to - from};
  }
  int64_t first_of(const Piece& run) const {  // rows of its first piece
    return std::min(run.length, chunk_ - (start_ + run.row - begin_) % chunk_);
  }
  int64_t pieces_of(const Piece& run) const {
    return run.length == 0 ? 0 : 1 + (run.length - first_of(run) + chunk_ - 1) / chunk_;
  }

  int64_t begin_, end_, start_, chunk_, count_ = 0;
  std::span<const int32_t> breaks_;  // those within the sequence
};

}  // namespace statera
