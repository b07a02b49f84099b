#include "statera/tensor.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <utility>

#include "statera/error.hpp"

namespace statera {
namespace {

Tensor counted(const Shape& shape) {
  Tensor t(DType::f32, shape);
  for (int64_t i = 0; i < shape.elements(); ++i) t.as<float>()[i] = static_cast<float>(i);
  return t;
}

TEST(Shape, ElementsAndRows) {
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape().row_elements(), 1);
  EXPECT_EQ(Shape({7}).row_elements(), 1);
  EXPECT_EQ(Shape({2, 3, 4}).elements(), 24);
  EXPECT_EQ(Shape({2, 3, 4}).row_elements(), 12);
  EXPECT_EQ(Shape({2, 0, 4}).elements(), 0);
  EXPECT_EQ(Shape({2, 3}).str(), "[2, 3]");
  EXPECT_EQ(Shape().str(), "[]");
  EXPECT_NE(Shape({2, 3}), Shape({2, 3, 1}));
  EXPECT_THROW(Shape({1, 1, 1, 1, 1, 1}), Error);
}

TEST(View, ColumnsAndRowsShareTheMemory) {
  const Tensor t = counted({4, 6});
  const View part = t.view().columns(2, 3).row_range(1, 2);
  EXPECT_EQ(part.shape, Shape({2, 3}));
  EXPECT_EQ(part.stride, 6);
  EXPECT_FALSE(part.dense());
  EXPECT_EQ(part.as<float>()[0], 8.0f);
  EXPECT_EQ(part.as<float>()[part.stride + 2], 16.0f);
  EXPECT_TRUE(t.view().row_range(1, 2).dense());
  EXPECT_TRUE(t.view().columns(2, 3).row_range(3, 1).dense()) << "one row has no gaps";
  EXPECT_THROW(t.view().columns(4, 3), Error);
  EXPECT_THROW(t.view().columns(-1, 3), Error);
  EXPECT_THROW(t.view().row_range(4, 1), Error);
  EXPECT_THROW(part.reshaped({6}), Error);
  EXPECT_THROW(t.view().reshaped({5, 5}), Error);
  EXPECT_EQ(t.view().reshaped({2, 12}).stride, 12);
}

TEST(View, WrongTypeThrowsButNothingStaysNothing) {
  const Tensor t(DType::f32, {2});
  EXPECT_THROW(t.as<double>(), Error);
  EXPECT_EQ(View().as<double>(), nullptr);
}

TEST(Tensor, AlignedAndZero) {
  for (int64_t n : {0, 1, 15, 16, 17, 1000}) {
    const Tensor t(DType::f32, {n});
    EXPECT_EQ(reinterpret_cast<uintptr_t>(t.view().data) % 64, 0u);
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(t.as<float>()[i], 0.0f);
  }
}

TEST(Tensor, MovesAndClones) {
  Tensor t = counted({3, 2});
  const Tensor copied = t.clone();
  const Tensor moved = std::move(t);
  EXPECT_TRUE(t.empty());  // NOLINT: a Tensor that was moved from owns nothing and shows nothing
  EXPECT_EQ(moved.as<float>()[5], 5.0f);
  EXPECT_NE(copied.view().data, moved.view().data);
  EXPECT_EQ(copied.as<float>()[5], 5.0f);
  EXPECT_TRUE(Tensor().clone().empty());
}

TEST(Tensor, LargeAndSmallMoveIntoEachOther) {  // their memory comes from different places and goes back there
  Tensor large = counted({3, 1'000'000}), small = counted({2, 2});
  const Tensor also_large = counted({2, 600'000});
  std::swap(large, small);
  EXPECT_EQ(large.as<float>()[3], 3.0f);
  EXPECT_EQ(small.as<float>()[2'999'999], 2'999'999.0f);
  large = also_large.clone();
  small = counted({5});
  EXPECT_EQ(large.as<float>()[1'199'999], 1'199'999.0f);
  EXPECT_EQ(small.as<float>()[4], 4.0f);
}

TEST(Tensor, ImpossibleShapes) {
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_THROW(Tensor(DType::f32, {-1}), Error);
  EXPECT_THROW(Tensor(DType::f32, {most}), Error);
  EXPECT_THROW(Tensor(DType::f64, {most / 4, 8}), Error);
  EXPECT_THROW(Tensor(DType::f64, {0, most, most}), Error);
}

TEST(Copy, StridedAndConverted) {
  const Tensor t = counted({3, 4});
  const Tensor narrow(DType::f32, {3, 2}), wide(DType::f64, {3, 2});
  copy(t.view().columns(1, 2), narrow);
  copy(t.view().columns(1, 2), wide);
  for (int row = 0; row < 3; ++row)
    for (int col = 0; col < 2; ++col) {
      EXPECT_EQ(narrow.as<float>()[row * 2 + col], static_cast<float>(row * 4 + col + 1));
      EXPECT_EQ(wide.as<double>()[row * 2 + col], row * 4 + col + 1);
    }
  fill_zero(t.view().columns(1, 2));
  EXPECT_EQ(t.as<float>()[4], 4.0f);
  EXPECT_EQ(t.as<float>()[5], 0.0f);
  EXPECT_EQ(t.as<float>()[6], 0.0f);
  EXPECT_EQ(t.as<float>()[7], 7.0f);
  copy(wide, t.view().columns(2, 2));
  EXPECT_EQ(t.as<float>()[6], 5.0f);
  EXPECT_EQ(t.as<float>()[7], 6.0f);
  EXPECT_THROW(copy(t, narrow), Error);
  EXPECT_THROW(copy(Tensor(DType::i32, {2}), Tensor(DType::f32, {2})), Error);
}

}  // namespace
}  // namespace statera
