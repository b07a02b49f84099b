// The transpose of a matrix, in blocks of 4 x 4, once a target.
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

// to[c, r] = from[r, c]
inline void Transpose(const float* HWY_RESTRICT from, int64_t from_stride, int64_t rows, int64_t cols, float* HWY_RESTRICT to, int64_t to_stride) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;
  const hn::RepartitionToWide<decltype(hn::RebindToUnsigned<decltype(d)>())> wide;
  for (; r + 4 <= rows; r += 4) {
    int64_t c = 0;
    for (; c + 4 <= cols; c += 4) {
      const float* p = from + r * from_stride + c;
      const auto r0 = hn::LoadU(d, p), r1 = hn::LoadU(d, p + from_stride), r2 = hn::LoadU(d, p + 2 * from_stride),
                 r3 = hn::LoadU(d, p + 3 * from_stride);
      const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, r0, r1)), high01 = hn::BitCast(wide, hn::InterleaveUpper(d, r0, r1));
      const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, r2, r3)), high23 = hn::BitCast(wide, hn::InterleaveUpper(d, r2, r3));
      float* out = to + c * to_stride + r;
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, low01, low23)), d, out);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23)), d, out + to_stride);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, high01, high23)), d, out + 2 * to_stride);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23)), d, out + 3 * to_stride);
    }
    for (; c < cols; ++c)
      for (int64_t i = r; i < r + 4; ++i) to[c * to_stride + i] = from[i * from_stride + c];
  }
#endif
  for (; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) to[c * to_stride + r] = from[r * from_stride + c];
}

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
