// Transposes a matrix, in squares as wide as a vector, and in squares of 4 x 4 at the edges. Compiled once per target.
#if defined(STATERA_CORE_TRANSPOSE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef STATERA_CORE_TRANSPOSE_INL
#undef STATERA_CORE_TRANSPOSE_INL
#else
#define STATERA_CORE_TRANSPOSE_INL
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR
// Takes r vectors of columns and transposes each group of four in blocks of 4 vector lanes: afterwards block b of v[4 g
// + j] is column 4 b + j of the rows 4 g to 4 g + 3.
template <class D, class V>
HWY_INLINE void TransposeInBlocks(D d, V* v) {
  const hn::RepartitionToWide<hn::RebindToUnsigned<D>> wide;
  const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, v[0], v[1])),
             high01 = hn::BitCast(wide, hn::InterleaveUpper(d, v[0], v[1]));
  const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, v[2], v[3])),
             high23 = hn::BitCast(wide, hn::InterleaveUpper(d, v[2], v[3]));
  v[0] = hn::BitCast(d, hn::InterleaveLower(wide, low01, low23));
  v[1] = hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23));
  v[2] = hn::BitCast(d, hn::InterleaveLower(wide, high01, high23));
  v[3] = hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23));
}

// Transposes the blocks of 4 vector lanes as a whole: row j of the blocks is v[j], v[4 + j], ...
template <class D, class V>
HWY_INLINE void TransposeBlocks(D d, V* v) {
  constexpr size_t blocks = hn::MaxLanes(D()) / 4;
#pragma GCC unroll 4
  for (size_t j = 0; j < 4; ++j) {
    if constexpr (blocks == 2) {
      const V a = v[j], b = v[4 + j];
      v[j] = hn::ConcatLowerLower(d, b, a);
      v[4 + j] = hn::ConcatUpperUpper(d, b, a);
    } else if constexpr (blocks == 4) {
      const V a = v[j], b = v[4 + j], c = v[8 + j], e = v[12 + j];
      const V even01 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a),
              odd01 = hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a));
      const V even23 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(e), c),
              odd23 = hn::OddEvenBlocks(e, hn::SwapAdjacentBlocks(c));
      v[j] = hn::ConcatLowerLower(d, even23, even01);
      v[4 + j] = hn::ConcatLowerLower(d, odd23, odd01);
      v[8 + j] = hn::ConcatUpperUpper(d, even23, even01);
      v[12 + j] = hn::ConcatUpperUpper(d, odd23, odd01);
    }
  }
}

// Transposes whole squares, each as wide as D has vector lanes. The rest goes to `rest(row, rows, column, columns)`.
template <class D, class Rest>
HWY_INLINE void TransposeSquares(D d, const float* HWY_RESTRICT from, int64_t from_stride, int64_t rows, int64_t cols,
                                 float* HWY_RESTRICT to, int64_t to_stride, const Rest& rest) {
  constexpr auto side = static_cast<int64_t>(hn::MaxLanes(D()));
  const int64_t whole_rows = rows / side * side, whole_cols = cols / side * side;
  for (int64_t r = 0; r < whole_rows; r += side)
    for (int64_t c = 0; c < whole_cols; c += side) {
      hn::Vec<D> v[side];
#pragma GCC unroll 16
      for (int64_t i = 0; i < side; ++i) v[i] = hn::LoadU(d, from + (r + i) * from_stride + c);
#pragma GCC unroll 4
      for (int64_t g = 0; g < side; g += 4) TransposeInBlocks(d, v + g);
      TransposeBlocks(d, v);
#pragma GCC unroll 16
      for (int64_t i = 0; i < side; ++i) hn::StoreU(v[i], d, to + (c + i) * to_stride + r);
    }
  if (whole_cols < cols) rest(0, whole_rows, whole_cols, cols - whole_cols);
  if (whole_rows < rows) rest(whole_rows, rows - whole_rows, 0, cols);
}

// For a dense [rows, 4]: transposes as many rows as fill whole vectors and returns their number. A stream transposes
// the weights of a convolution with 4 taps at every step.
inline int64_t TransposeFours(const float* HWY_RESTRICT from, int64_t rows, float* HWY_RESTRICT to, int64_t to_stride) {
  const hn::ScalableTag<float> d;
  constexpr auto lanes = static_cast<int64_t>(hn::MaxLanes(hn::ScalableTag<float>())), blocks = lanes / 4;
  HWY_ALIGN int32_t order[lanes];  // row blocks * i + b ends up in vector lane 4 b + i
  for (int64_t i = 0; i < 4; ++i)
    for (int64_t b = 0; b < blocks; ++b) order[blocks * i + b] = static_cast<int32_t>(4 * b + i);
  const auto indices = hn::SetTableIndices(d, order);
  int64_t r = 0;
  for (; r + lanes <= rows; r += lanes) {
    hn::Vec<decltype(d)> v[4];
#pragma GCC unroll 4
    for (int64_t i = 0; i < 4; ++i) v[i] = hn::LoadU(d, from + 4 * r + i * lanes);
    TransposeInBlocks(d, v);
#pragma GCC unroll 4
    for (int64_t j = 0; j < 4; ++j) hn::StoreU(hn::TableLookupLanes(v[j], indices), d, to + j * to_stride + r);
  }
  return r;
}
#endif

// to[c, r] = from[r, c]
inline void Transpose(const float* HWY_RESTRICT from, int64_t from_stride, int64_t rows, int64_t cols,
                      float* HWY_RESTRICT to, int64_t to_stride) {
  const auto one_by_one = [&](int64_t row, int64_t n_rows, int64_t column, int64_t n_columns) HWY_ATTR {
    for (int64_t r = row; r < row + n_rows; ++r)
      for (int64_t c = column; c < column + n_columns; ++c) to[c * to_stride + r] = from[r * from_stride + c];
  };
#if HWY_TARGET == HWY_SCALAR
  one_by_one(0, rows, 0, cols);
#else
  const auto by_fours = [&](int64_t row, int64_t n_rows, int64_t column, int64_t n_columns) HWY_ATTR {
    const auto rest = [&](int64_t r, int64_t nr, int64_t c, int64_t nc)
                          HWY_ATTR { one_by_one(row + r, nr, column + c, nc); };
    TransposeSquares(hn::FixedTag<float, 4>(), from + row * from_stride + column, from_stride, n_rows, n_columns,
                     to + column * to_stride + row, to_stride, rest);
  };
  if (cols == 4 && from_stride == 4) {
    const int64_t done = TransposeFours(from, rows, to, to_stride);
    by_fours(done, rows - done, 0, 4);
    return;
  }
  TransposeSquares(hn::ScalableTag<float>(), from, from_stride, rows, cols, to, to_stride, by_fours);
#endif
}

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
