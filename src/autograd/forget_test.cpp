// Values that are forgotten in forward and made again in backward.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/arena.hpp"
#include "core/exec.hpp"
#include "statera/error.hpp"
#include "statera/tape.hpp"

namespace statera {
namespace {

// to = factor * a * b, element by element
void each(const View& to, const View& a, const View& b, double factor) {
  for (int64_t r = 0; r < to.rows(); ++r)
    for (int64_t c = 0; c < to.cols(); ++c)
      to.as<double>()[r * to.stride + c] = factor * a.as<double>()[r * a.stride + c] * b.as<double>()[r * b.stride + c];
}

// y = x^2, element by element; counts how often it runs.
Var square(Tape& tape, Var x, int* runs, bool can_run_again = true) {
  const Var y = tape.make(DType::f64, tape.value(x).shape, tape.needs_grad(x));
  const auto run = [x, y, runs](Tape& t) {
    each(t.value(y), t.value(x), t.value(x), 1);
    ++*runs;
  };
  const auto backward = [x, y](Tape& t) {
    const GradSink dx(t, x);
    each(dx.view(), t.value(x), t.grad(y), 2);
  };
  run(tape);
  if (can_run_again)
    tape.record("square", {y}, backward, run);
  else
    tape.record("once", {y}, backward);
  return y;
}

class Forget : public testing::Test {
 protected:
  void SetUp() override {
    Arena::set_poison(true);  // what is read after it was forgotten is NaN
    for (int64_t i = 0; i < elements; ++i) x.as<double>()[i] = 1 + 0.125 * static_cast<double>(i);
  }
  void TearDown() override { Arena::set_poison(false); }

  static std::vector<double> numbers(const View& v) { return {v.as<double>(), v.as<double>() + v.elements()}; }

  // x^8, or the squares of two columns of x^4; which of the squares in between are forgotten.
  std::vector<double> gradient(std::vector<int> forgotten, bool columns = false) {
    const Var in = tape.input(x);
    Var v[4] = {in, square(tape, in, &runs[0])};
    v[2] = square(tape, v[1], &runs[1]);
    v[3] = square(tape, columns ? tape.columns(v[2], 1, 2) : v[2], &runs[2]);
    const Tensor one(DType::f64, tape.value(v[3]).shape);
    for (int i : forgotten) tape.forget(v[i]);
    std::fill_n(one.as<double>(), one.view().elements(), 1.0);
    const View seed = one;
    tape.backward(std::span(&v[3], 1), std::span(&seed, 1));
    const std::vector<double> result = numbers(tape.grad(in));
    tape.reset();
    return result;
  }

  Tensor x{DType::f64, {6, 3}};
  const int64_t elements = x.view().elements();
  Tape tape{Device::cpu({.threads = 1})};
  int runs[3] = {};
};

TEST_F(Forget, ChangesNoBit) {
  const std::vector<double> expected = gradient({});
  EXPECT_NEAR(expected[1], 8 * std::pow(1.125, 7), 1e-12);
  for (const std::vector<int>& forgotten : {std::vector{1}, {2}, {1, 2}, {3, 2, 1}, {1, 1}})
    EXPECT_EQ(gradient(forgotten), expected);
  const std::vector<double> of_columns = gradient({}, true);
  for (const std::vector<int>& forgotten : {std::vector{1}, {2}, {2, 1}})
    EXPECT_EQ(gradient(forgotten, true), of_columns);
}

TEST_F(Forget, EachIsMadeAgainOnce) {
  gradient({1, 2, 3});
  EXPECT_EQ(runs[0], 2);
  EXPECT_EQ(runs[1], 2);
  EXPECT_EQ(runs[2], 1) << "nobody asked for the last one";
}

TEST_F(Forget, ItsMemoryServesTheNextValue) {
  const Var a = square(tape, tape.input(x), &runs[0]), b = square(tape, a, &runs[1]);
  const std::vector<double> before = numbers(tape.value(a));
  const void* memory = tape.value(a).data;
  const size_t bytes = tape.bytes();
  tape.forget(a);
  const Var c = tape.make(DType::f64, x.shape(), true);
  EXPECT_EQ(tape.value(c).data, memory);
  EXPECT_EQ(tape.bytes(), bytes);
  EXPECT_TRUE(tape.can_forget(b));
  EXPECT_EQ(numbers(tape.value(a)), before);
  EXPECT_NE(tape.value(a).data, memory);
}

TEST_F(Forget, WhatIsForgottenReadsAsNaN) {
  const Var a = square(tape, tape.input(x), &runs[0]);
  const double* memory = tape.value(a).as<double>();
  tape.forget(a);
  EXPECT_TRUE(std::isnan(memory[0]));
}

TEST_F(Forget, BackwardUsesTheSameMemoryAgainAndAgain) {
  Var v = tape.input(x);
  for (int i = 0; i < 40; ++i) {  // every other one is forgotten, so that each is made again from one that was kept
    const Var s = square(tape, v, &runs[0]);
    v = square(tape, s, &runs[0]);
    tape.forget(s);
    std::fill_n(tape.value(v).as<double>(), elements, 1.0);  // no overflow
  }
  const size_t before = tape.bytes(), buffer = x.view().bytes() + 128;
  const View seed = x;
  tape.backward(std::span(&v, 1), std::span(&seed, 1));
  EXPECT_LE(tape.bytes(), before + 4 * buffer);
}

TEST_F(Forget, WhatNoGradientReachesIsReleasedToo) {
  const Var in = tape.input(x), a = square(tape, in, &runs[0]), b = square(tape, in, &runs[1]);
  tape.forget(a);
  static_cast<void>(tape.value(a));  // made again, by whoever looks
  const View seed = x;
  tape.backward(std::span(&b, 1), std::span(&seed, 1));
  static_cast<void>(tape.value(a));
  EXPECT_EQ(runs[0], 3);
}

TEST_F(Forget, OutputsOfOneOperationAreMadeAgainTogether) {
  const Var a = tape.make(DType::f64, x.shape(), true), b = tape.make(DType::f64, x.shape(), true);
  int* count = &runs[0];
  tape.record(
      "both", {a, b}, [](Tape&) {},
      [a, b, count](Tape& t) {
        for (Var v : {a, b}) t.value(v).as<double>()[0] = v.id;
        ++*count;
      });
  tape.forget(a);
  tape.forget(b);
  EXPECT_EQ(tape.value(b).as<double>()[0], b.id);
  EXPECT_EQ(tape.value(a).as<double>()[0], a.id);
  EXPECT_EQ(runs[0], 1);
}

TEST_F(Forget, AnErrorOnTheWayLeavesItForgotten) {
  const Var a = tape.make(DType::f64, x.shape(), true);
  int* count = &runs[0];
  tape.record(
      "fails", {a}, [](Tape&) {},
      [a, count](Tape& t) {
        if (++*count == 1) throw Error(ErrorCode::numeric, "once");
        t.value(a).as<double>()[0] = 5;
      });
  tape.forget(a);
  EXPECT_THROW(tape.value(a), Error);
  EXPECT_EQ(tape.value(a).as<double>()[0], 5);
}

TEST_F(Forget, BackwardReleasesWhatItMadeAgain) {
  const Var a = square(tape, tape.input(x), &runs[0]), b = square(tape, a, &runs[1]);
  tape.forget(a);
  const View seed = x;
  tape.backward(std::span(&b, 1), std::span(&seed, 1));
  EXPECT_EQ(runs[0], 2);
  tape.value(a);
  EXPECT_EQ(runs[0], 3);  // it was gone again
}

TEST_F(Forget, TheFirstValueThatIsNotFiniteIsStillFound) {
  x.as<double>()[4] = 1e200;
  const Var in = tape.input(x);
  std::vector<Var> all;
  for (int i = 0; i < 8; ++i) {
    all.push_back(square(tape, in, &runs[0]));
    tape.forget(all.back());  // they share one buffer
  }
  tape.forget(square(tape, all[0], &runs[0]));
  const size_t before = tape.bytes();
  EXPECT_EQ(tape.first_non_finite(), "[square]: inf");
  x.as<double>()[4] = 1;
  EXPECT_EQ(tape.first_non_finite(), "");
  EXPECT_EQ(tape.bytes(), before) << "one after the other";
}

TEST_F(Forget, OnlyWhatCanBeMadeAgain) {
  const auto error = [&](Var v) -> std::string {
    try {
      tape.forget(v);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::unsupported);
      return e.what();
    }
    return "";
  };
  const Var in = tape.input(x), once = square(tape, in, &runs[0], false);
  EXPECT_FALSE(tape.can_forget(in));
  EXPECT_FALSE(tape.can_forget(once));
  EXPECT_NE(error(in).find("no operation"), std::string::npos) << error(in);
  EXPECT_NE(error(once).find("once cannot be made again"), std::string::npos) << error(once);
  Var gone[2];
  {
    const Tape::NoGrad forward_only(tape);
    EXPECT_FALSE(tape.can_forget(once)) << "it was recorded";
    for (bool can_run_again : {false, true})
      tape.forget(gone[can_run_again] = square(tape, in, &runs[0], can_run_again));
  }
  EXPECT_EQ(tape.first_non_finite(), "");
  for (Var v : gone) EXPECT_THROW(tape.value(v), Error);
}

}  // namespace
}  // namespace statera
