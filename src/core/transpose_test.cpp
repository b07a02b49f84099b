// transpose-inl.hpp on every shape around its squares: the result, and that nothing after it is touched.
#include <gtest/gtest.h>

#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/transpose_test.cpp"
#include "core/simd.hpp"
#include "core/transpose-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
void RunTranspose(const float* from, int64_t from_stride, int64_t rows, int64_t cols, float* to, int64_t to_stride) {
  Transpose(from, from_stride, rows, cols, to, to_stride);
}
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera::test {
namespace {
HWY_EXPORT(RunTranspose);

TEST(Transpose, EveryShapeAroundItsSquares) {
  constexpr int64_t most = 37, from_stride = most + 3, to_stride = most + 2;
  std::vector<float> from(static_cast<size_t>(most * from_stride));
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
  for (int64_t rows = 0; rows <= most; ++rows)
    for (int64_t cols = 0; cols <= most; ++cols) {
      std::vector<float> to(static_cast<size_t>(most * to_stride), -1.0f);
      HWY_DYNAMIC_DISPATCH(RunTranspose)(from.data(), from_stride, rows, cols, to.data(), to_stride);
      for (int64_t c = 0; c < most; ++c)
        for (int64_t r = 0; r < to_stride; ++r)
          ASSERT_EQ(to[static_cast<size_t>(c * to_stride + r)],
                    r < rows && c < cols ? from[static_cast<size_t>(r * from_stride + c)] : -1.0f)
              << rows << " x " << cols << ", row " << r << ", column " << c;
    }
}

// As the weights of a convolution lie, and rows of four of which only some are wanted.
TEST(Transpose, RowsOfFour) {
  for (int64_t cols : {3, 4})
    for (int64_t rows = 0; rows <= 70; ++rows) {
      std::vector<float> from(static_cast<size_t>(4 * rows + 1)), to(5 * 75, -1.0f);
      for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
      HWY_DYNAMIC_DISPATCH(RunTranspose)(from.data(), 4, rows, cols, to.data(), 75);
      for (int64_t c = 0; c < 5; ++c)
        for (int64_t r = 0; r < 75; ++r)
          ASSERT_EQ(to[static_cast<size_t>(c * 75 + r)], r < rows && c < cols ? static_cast<float>(4 * r + c) : -1.0f)
              << rows << ", " << r;
    }
}

}  // namespace
}  // namespace statera::test
#endif
