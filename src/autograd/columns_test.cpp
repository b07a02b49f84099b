// Columns of a value: their gradients land in the whole's, whatever the order and overlap of their uses.
#include <gtest/gtest.h>

#include "core/arena.hpp"
#include "core/exec.hpp"
#include "statera/error.hpp"
#include "statera/tape.hpp"

namespace statera {
namespace {

// y = sum of all elements times `factor`; a minimal operation
Var scaled_sum(Tape& tape, Var x, double factor) {
  const View v = tape.value(x);
  const Var y = tape.make(DType::f64, {1}, tape.needs_grad(x));
  double sum = 0;
  for (int64_t r = 0; r < v.rows(); ++r)
    for (int64_t c = 0; c < v.cols(); ++c) sum += v.as<double>()[r * v.stride + c];
  *tape.value(y).as<double>() = factor * sum;
  tape.record("scaled_sum", {y}, [x, y, factor](Tape& t) {
    const GradSink dx(t, x);
    const View g = dx.view();
    for (int64_t r = 0; r < g.rows(); ++r)
      for (int64_t c = 0; c < g.cols(); ++c) g.as<double>()[r * g.stride + c] = factor * *t.grad(y).as<double>();
  });
  return y;
}

// An inner value [2, 4], whose gradient memory is the tape's; what arrives there is passed on to `root`.
Var inner_value(Tape& tape, Var root) {
  const Var y = tape.make(DType::f64, {2, 4}, true);
  copy(tape.value(root), tape.value(y));
  tape.record("copy", {y}, [root, y](Tape& t) {
    const GradSink d(t, root);
    copy(t.grad(y), d.view());
  });
  return y;
}

TEST(Columns, GradientsLandInTheWhole) {
  Tensor x(DType::f64, {2, 4});
  Tape tape(Device::cpu({.threads = 1}));
  const Var root = tape.input(x), whole = inner_value(tape, root);
  // overlap in column 1; nobody takes column 3 but the whole
  const Var a = tape.columns(whole, 0, 2), b = tape.columns(whole, 1, 2);
  const Var ys[] = {scaled_sum(tape, a, 10), scaled_sum(tape, whole, 1), scaled_sum(tape, b, 100),
                    scaled_sum(tape, a, 1000)};
  double one = 1;
  const View seed(&one, DType::f64, {1});
  const View seeds[] = {seed, seed, seed, seed};
  tape.backward(ys, seeds);
  const double* g = tape.grad(root).as<double>();
  for (int row = 0; row < 2; ++row) {
    EXPECT_EQ(g[row * 4 + 0], 1011);
    EXPECT_EQ(g[row * 4 + 1], 1111);
    EXPECT_EQ(g[row * 4 + 2], 101);
    EXPECT_EQ(g[row * 4 + 3], 1);
  }
}

TEST(Columns, OfColumnsAreColumnsOfTheWhole) {
  Tensor x(DType::f64, {2, 4});
  for (int64_t i = 0; i < 8; ++i) x.as<double>()[i] = static_cast<double>(i);
  Tape tape(Device::cpu({.threads = 1}));
  const Var root = tape.input(x), whole = inner_value(tape, root);
  const Var outer = tape.columns(whole, 1, 3), inner = tape.columns(outer, 1, 2), last = tape.columns(inner, 1, 1);
  EXPECT_EQ(tape.value(inner).as<double>()[0], tape.value(whole).as<double>()[2]);
  EXPECT_EQ(tape.value(last).shape, Shape({2, 1}));
  const Var ys[] = {scaled_sum(tape, inner, 10), scaled_sum(tape, outer, 1), scaled_sum(tape, last, 100)};
  double one = 1;
  const View seed(&one, DType::f64, {1});
  const View seeds[] = {seed, seed, seed};
  tape.backward(ys, seeds);
  const double* g = tape.grad(root).as<double>();
  for (int row = 0; row < 2; ++row) {
    const double expected[] = {0, 1, 11, 111};
    for (int column = 0; column < 4; ++column) EXPECT_EQ(g[row * 4 + column], expected[column]) << column;
  }
  EXPECT_THROW(tape.columns(inner, 1, 2), Error);
}

TEST(Columns, WhatNoPartWroteIsZero) {
  Arena::set_poison(true);
  {
    Tensor x(DType::f64, {2, 4});
    Tape tape(Device::cpu({.threads = 1}));
    const Var root = tape.input(x), whole = inner_value(tape, root);
    const Var a = tape.columns(whole, 3, 1), b = tape.columns(whole, 1, 1);
    const Var ys[] = {scaled_sum(tape, a, 10), scaled_sum(tape, b, 100), scaled_sum(tape, a, 1000)};
    double one = 1;
    const View seed(&one, DType::f64, {1});
    const View seeds[] = {seed, seed, seed};
    tape.backward(ys, seeds);
    const double* g = tape.grad(root).as<double>();
    for (int row = 0; row < 2; ++row) {
      EXPECT_EQ(g[row * 4 + 0], 0);
      EXPECT_EQ(g[row * 4 + 1], 100);
      EXPECT_EQ(g[row * 4 + 2], 0);
      EXPECT_EQ(g[row * 4 + 3], 1010);
    }
  }
  Arena::set_poison(false);
}

}  // namespace
}  // namespace statera
