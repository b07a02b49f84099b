// Where scans are cut: on the chunk grid of the sequence and at breaks, the same in one call and in several.
#include "kernels/pieces.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/boundaries.hpp"
#include "kernels/kernels.hpp"
#include "statera/error.hpp"

namespace statera {
namespace {

using Lengths = std::vector<int64_t>;

Lengths lengths(const Pieces& pieces) {
  Lengths all;
  for (int64_t i = 0; i < pieces.count(); ++i) all.push_back(pieces[i].length);
  return all;
}

TEST(Pieces, EndOnTheGridAndAtBreaks) {
  const int32_t offsets[] = {0, 20, 20, 33}, breaks[] = {3, 7, 8, 20, 29};
  const int64_t start[] = {5, 1, 0};
  const Rows plain{offsets, start}, broken{offsets, start, breaks};
  EXPECT_EQ(lengths(Pieces(plain, 0, 8)), Lengths({3, 8, 8, 1}));
  EXPECT_EQ(lengths(Pieces(plain, 1, 8)), Lengths());
  EXPECT_EQ(lengths(Pieces(plain, 2, 8)), Lengths({8, 5}));
  // the break before row 3 stands on the grid, and the one before row 20 between two sequences
  EXPECT_EQ(lengths(Pieces(broken, 0, 8)), Lengths({3, 4, 1, 3, 8, 1}));
  EXPECT_EQ(lengths(Pieces(broken, 1, 8)), Lengths());
  EXPECT_EQ(lengths(Pieces(broken, 2, 8)), Lengths({8, 1, 4}));
  int64_t row = 0;
  const Pieces first(broken, 0, 8), third(broken, 2, 8);
  for (const Pieces* pieces : {&first, &third})
    for (int64_t i = 0; i < pieces->count(); row += (*pieces)[i++].length) EXPECT_EQ((*pieces)[i].row, row);
  EXPECT_EQ(row, 33);
}

// The inner rows of a text that is read at once, and in two calls that meet at a multiple of the outer grid.
TEST(Pieces, OfAnInnerStackAreThoseOfSlices) {
  constexpr int64_t total = 70, every = 16, chunk = 4;
  Arena memory;
  const View p = memory.allocate(DType::f32, {total});
  for (int64_t t = 0; t < total; ++t) p.as<float>()[t] = t % 3 == 0 || t % 5 == 1 ? 1 : 0;
  const auto inner = [&](int64_t from, int64_t to, int64_t started) {
    int32_t* offsets = memory.allocate_array<int32_t>(2);
    int64_t* start = memory.allocate_array<int64_t>(1);
    offsets[0] = 0, offsets[1] = static_cast<int32_t>(to - from), start[0] = from;
    const int64_t inner_start[] = {started};
    return find_boundaries(memory, p.row_range(from, to - from), {{offsets, 2}, {start, 1}}, inner_start, every).inner;
  };
  const Rows whole = inner(0, total, 0);
  ASSERT_EQ(whole.breaks.size(), static_cast<size_t>(total / every));
  for (const int64_t cut : {16, 48}) {
    const Rows before = inner(0, cut, 0), after = inner(cut, total, before.total());
    Lengths both = lengths(Pieces(before, 0, chunk));
    for (const int64_t length : lengths(Pieces(after, 0, chunk))) both.push_back(length);
    EXPECT_EQ(both, lengths(Pieces(whole, 0, chunk))) << cut;
  }
  // a stack within the inner one ends its chunks there too
  const View all = memory.allocate(DType::f32, {whole.total()});
  for (int64_t i = 0; i < whole.total(); ++i) all.as<float>()[i] = i % 2 == 0 ? 1 : 0;
  const int64_t none[] = {0};
  const Rows within = find_boundaries(memory, all, whole, none, 0).inner;
  ASSERT_EQ(within.breaks.size(), whole.breaks.size());
  for (size_t k = 0; k < within.breaks.size(); ++k) EXPECT_EQ(within.breaks[k], (whole.breaks[k] + 1) / 2);
}

// A table cannot lack a kernel.
static_assert(!std::is_default_constructible_v<Kernel<void(int) noexcept>>);
static_assert(!std::is_constructible_v<Kernel<void(int) noexcept>, std::nullptr_t>);
static_assert(!std::is_constructible_v<Kernel<void(int) noexcept>, void (*)(int)>);  // which may throw
static_assert(std::is_constructible_v<Kernel<void(int) noexcept>, void (*)(int) noexcept>);

TEST(Pieces, BreaksThatDoNotRiseAreNamed) {
  const int32_t offsets[] = {0, 9}, twice[] = {4, 4}, outside[] = {9};
  const int64_t start[] = {0};
  EXPECT_NO_THROW(check_rows("x", {offsets, start}, 9));
  EXPECT_THROW(check_rows("x", {offsets, start, twice}, 9), Error);
  EXPECT_THROW(check_rows("x", {offsets, start, outside}, 9), Error);
}

}  // namespace
}  // namespace statera
