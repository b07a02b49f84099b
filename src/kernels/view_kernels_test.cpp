// The kernels that compare and move weights, over dense Views and over columns of wider ones.
#include "kernels/view_kernels.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/error_of.hpp"

namespace statera {
namespace {

template <class T>
void compares_and_moves(DType dtype) {
  // [2, 2] columns of [2, 4], whose other columns stay as they are
  const Tensor wide(dtype, {2, 4}), target(dtype, {2, 2});
  const std::vector<double> w{9, 1, -2, 9, 9, 0.5, 4, 9}, t{3, -2, 0.5, 0};
  for (size_t i = 0; i < w.size(); ++i) wide.as<T>()[i] = static_cast<T>(w[i]);
  for (size_t i = 0; i < t.size(); ++i) target.as<T>()[i] = static_cast<T>(t[i]);
  const View v = wide.view().columns(1, 2);
  EXPECT_EQ(squared_norm(v), 1 + 4 + 0.25 + 16);
  EXPECT_EQ(squared_distance(v, target), 4 + 0 + 0 + 16);
  move_towards(v, target, 0.25);
  const std::vector<double> expected{9, 1.5, -2, 9, 9, 0.5, 3, 9};
  for (size_t i = 0; i < w.size(); ++i) EXPECT_EQ(static_cast<double>(wide.as<T>()[i]), expected[i]) << i;
}

TEST(ViewKernels, CompareAndMove) {
  compares_and_moves<float>(DType::f32);
  compares_and_moves<double>(DType::f64);
}

TEST(ViewKernels, WhatDiffersInShapeOrTypeIsRefused) {
  const Tensor a(DType::f32, {2, 2}), turned(DType::f32, {4, 1}), doubles(DType::f64, {2, 2}),
      whole(DType::i32, {2, 2});
  for (const Tensor* other : {&turned, &doubles}) {
    EXPECT_NE(test::error_of([&] { move_towards(a, *other, 0.5); }, ErrorCode::shape).find("[move_towards]"),
              std::string::npos);
    EXPECT_NE(test::error_of([&] { squared_distance(a, *other); }, ErrorCode::shape).find("[squared_distance]"),
              std::string::npos);
  }
  test::error_of([&] { squared_norm(whole); }, ErrorCode::unsupported);
}

}  // namespace
}  // namespace statera
