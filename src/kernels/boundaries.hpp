// Where an inner stack reads: a router gives each row of the outer stack a probability p, and the rows with p > 1/2 are
// cuts. The inner stack has one row for each cut.
#pragma once
#include "core/arena.hpp"
#include "core/rows.hpp"
#include "statera/tensor.hpp"

namespace statera {

// N outer rows, M cuts among them. Borrows its arrays.
struct Boundaries {
  Rows inner;                          // the rows of the inner stack
  std::span<const int32_t> outer_row;  // [M] the outer row of each inner one
  // [N] the inner row of the last cut at or before each outer row. -1 - s where sequence s has had none in this batch
  // yet, so that the row takes what was carried. These are indices of gather_rows(inner, carried).
  std::span<const int32_t> inner_row;

  bool cut(int64_t row) const {
    const int32_t inner_one = inner_row[static_cast<size_t>(row)];
    return inner_one >= 0 && outer_row[static_cast<size_t>(inner_one)] == row;
  }
};

// p [N], f32 or f64. inner_start [S]: the position of the inner stack before the first row of each sequence; 0 where
// outer.start is 0. break_every: the outer stack may be cut at all multiples of this many positions, 0: at none but its
// own breaks; there the chunks of the inner stack end too. The result lies in `memory`. Throws ErrorCode::shape.
Boundaries find_boundaries(Arena& memory, const View& p, const Rows& outer, std::span<const int64_t> inner_start,
                           int64_t break_every);

// The breaks of the rows of an inner stack, of which row i reads outer_row[i]: before the first row of each stretch
// between two places where the outer stack may be cut. They lie in `memory`.
std::span<const int32_t> breaks_within(Arena& memory, const Rows& outer, const Rows& inner,
                                       std::span<const int32_t> outer_row, int64_t break_every);

}  // namespace statera
