// Weights in 8 and 4 bits: what rounding costs at most, exact whole numbers, fast against reference, bits, files' form
// and back, bad use.
#include "ops/matmul/quantised.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "statera/random.hpp"
#include "ops/matmul/matmul.hpp"
#include "statera/error.hpp"
#include "support/engine.hpp"
#include "support/tolerance.hpp"

namespace statera::test {
namespace {

constexpr WeightFormat formats[] = {WeightFormat::int8, WeightFormat::int4};

Weight quantised(const View& w, WeightFormat format) {
  Weight weight;
  Engine engine(2);
  weight.quantise(pool_of(engine.device), w, format);
  return weight;
}

bool same_bits(const View& a, const View& b) {
  for (int64_t row = 0; row < a.rows(); ++row)
    if (std::memcmp(a.as<float>() + row * a.stride, b.as<float>() + row * b.stride,
                    static_cast<size_t>(a.cols()) * sizeof(float)))
      return false;
  return a.shape == b.shape;
}

TEST(Quantise, RoundsToTheNearestOfTheScale) {
  for (WeightFormat format : formats)
    for (int64_t in : {1, 31, 32, 33, 100}) {
      const Tensor w = random_tensor("w", {53, in}, 0.02f);
      const Weight weight = quantised(w, format);
      const QuantisedPanels panels = weight.quantised();
      bool used_all = false;
      for (int64_t o = 0; o < 53; ++o)
        for (int64_t i = 0; i < in; ++i) {
          const double scale = panels.scale(o, i / quantised_block), value = panels.value(i, o),
                       exact = static_cast<double>(w.as<float>()[o * in + i]);
          const double most = format == WeightFormat::int8 ? 0.5 : 1;  // int4 reaches -8, but only +7
          EXPECT_LE(std::abs(exact - scale * value), most * std::abs(scale) * (1 + 1e-5))
              << name_of(format) << " " << o << ", " << i;
          used_all = used_all || value == (format == WeightFormat::int8 ? 127 : -8);
        }
      EXPECT_TRUE(used_all);
    }
}

TEST(Quantise, ZerosTinyAndNonFiniteBlocks) {
  float x[quantised_block];
  int8_t q[quantised_block];
  const auto scale_of = [&](float first, float others) {
    std::fill_n(x, quantised_block, others);
    x[5] = first;
    return quantise_block(x, quantised_block, q);
  };
  for (float tiny : {0.0f, 1e-38f, -1e-31f}) EXPECT_EQ(scale_of(tiny, 0), 0);
  EXPECT_EQ(scale_of(-254, 2), 2);
  EXPECT_EQ(q[5], -127);
  EXPECT_EQ(q[6], 1);
  EXPECT_GT(scale_of(std::numeric_limits<float>::max(), 1), 1e36f);
  EXPECT_EQ(q[5], 127);
  for (float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    EXPECT_TRUE(std::isnan(scale_of(bad, 1)));
    EXPECT_EQ(q[6], 0);
  }
}

TEST(Quantised, PanelsKeepWhatAFileHolds) {
  Engine engine(2);
  for (WeightFormat format : formats)
    for (int64_t out : {1, 16, 47, 49, 130})
      for (int64_t in : {1, 6, 32, 45}) {
        const Shape shape{out, in};
        const auto quantised = [&] {
          QuantisedTensors made = QuantisedTensors::zero(format, shape);
          quantise(pool_of(engine.device), random_tensor("w", shape), made.view());
          return made;
        };
        const QuantisedTensors made = quantised(), again = QuantisedTensors::zero(format, shape);
        Weight weight;
        weight.take(pool_of(engine.device), quantised(), in);
        EXPECT_EQ(weight.shape(), shape);
        weight.quantised().unpack(again.view());
        EXPECT_EQ(std::memcmp(made.values.view().data, again.values.view().data, made.values.view().bytes()), 0)
            << name_of(format) << shape;
        EXPECT_TRUE(same_bits(made.scales, again.scales)) << name_of(format) << shape;
      }
}

// |x w - q_x q_w| <= |x| |w - q_w| + |q_w| |x - q_x|, summed: what rounding can cost, and no more.
TEST(Quantised, ErrsNoMoreThanRoundingAllows) {
  const int64_t rows = 5, in = 100, out = 53;
  const Tensor x = random_tensor("x", {rows, in}), w = random_tensor("w", {out, in}), y(DType::f32, {rows, out});
  for (KernelChoice kernels : {KernelChoice::fast, KernelChoice::reference})
    for (WeightFormat format : formats) {
      Engine engine(1, kernels);
      const Weight weight = quantised(w, format);
      matmul(engine.exec, x, weight, y);
      for (int64_t n = 0; n < rows; ++n)
        for (int64_t o = 0; o < out; ++o) {
          double exact = 0, allowed = 1e-6, used = 0;
          for (int64_t i = 0; i < in; ++i) {
            const double a = static_cast<double>(x.as<float>()[n * in + i]),
                         b = static_cast<double>(w.as<float>()[o * in + i]);
            const double kept =
                static_cast<double>(weight.quantised().scale(o, i / quantised_block)) * weight.quantised().value(i, o);
            exact += a * b;
            allowed += std::abs(a) * std::abs(b - kept) + std::abs(kept) * 0.5 / 127;
          }
          used = std::abs(static_cast<double>(y.as<float>()[n * out + o]) - exact);
          ASSERT_LE(used, allowed) << name_of(format) << " " << n << ", " << o;
        }
    }
}

TEST(Quantised, FastIsReferenceInDouble) {
  Arena::set_poison(true);  // scratch is NaN before, and nothing is written after it
  struct Size {
    int64_t rows, in, out;
  };
  for (WeightFormat format : formats)
    for (const auto [rows, in, out] : {Size{1, 37, 33}, Size{1, 100, 250}, Size{2, 384, 48}, Size{5, 37, 50},
                                       Size{70, 130, 130}, Size{130, 1100, 17}, Size{3, 1, 1}}) {
      const Tensor x = random_tensor("x", {rows, in}), w = random_tensor("w", {out, in}),
                   start = random_tensor("start", {rows, out});
      const Weight weight = quantised(w, format);
      for (bool accumulate : {false, true}) {
        Engine engine(2);
        Tensor truth(DType::f64, {rows, out}), slow = start.clone(), quick = start.clone();
        copy(start, truth);
        const auto run = [&]<class T>(const QuantisedKernels<T>& kernels, const View& y) {
          kernels.product({.x = x.as<float>(),
                           .x_stride = in,
                           .w = weight.quantised(),
                           .y = y.as<T>(),
                           .y_stride = out,
                           .rows = rows,
                           .accumulate = accumulate},
                          engine.exec);
        };
        run(quantised_ref_f64, truth);
        run(quantised_ref_f32, slow);
        run(quantised_cpu, quick);
        const double allowed =
            computed_tolerance(relative_l2(to_doubles(slow), to_doubles(truth)), in / quantised_block + 1,
                               static_cast<size_t>(truth.view().elements()));
        EXPECT_LE(relative_l2(to_doubles(quick), to_doubles(truth)), allowed)
            << name_of(format) << " " << rows << " x " << in << " x " << out;
      }
    }
  Arena::set_poison(false);
}

TEST(Quantised, ARowHasTheSameBitsAloneAndAmongOthers) {
  struct Size {
    int64_t in, out;
  };
  // five, three and two panels and some: a row alone reads several side by side; 1100 crosses a cut of the blocks
  for (WeightFormat format : formats)
    for (const auto [in, out] : {Size{37, 250}, Size{64, 150}, Size{37, 100}, Size{1100, 250}}) {
      const int64_t rows = 300;
      const Tensor x = random_tensor("x", {rows, in}), w = random_tensor("w", {out, in}),
                   bias = random_tensor("bias", {out});
      const Weight weight = quantised(w, format);
      Engine one(1);
      const Tensor all(DType::f32, {rows, out});
      matmul(one.exec, x, weight, all, bias);
      for (int threads : {1, 3})
        for (int64_t count : {1, 2, 7, 17, 129}) {
          Engine engine(threads);
          for (int64_t first : {0, 5, 171}) {
            const Tensor some(DType::f32, {count, out});
            matmul(engine.exec, x.view().row_range(first, count), weight, some, bias);
            EXPECT_TRUE(same_bits(some, all.view().row_range(first, count)))
                << name_of(format) << " " << count << " rows at " << first << ", " << threads << " threads";
          }
        }
    }
}

TEST(Quantised, ReadsAndWritesColumnsOfWiderMatrices) {
  Engine engine(2);
  const Tensor wide = random_tensor("wide", {19, 100}), w = random_tensor("w", {50, 37}), out(DType::f32, {19, 90});
  for (WeightFormat format : formats) {
    const Weight weight = quantised(w, format);
    const View x = wide.view().columns(11, 37), y = out.view().columns(20, 50);
    matmul(engine.exec, x, weight, y);
    const Tensor dense_x(DType::f32, x.shape), dense_y(DType::f32, y.shape);
    copy(x, dense_x);
    matmul(engine.exec, dense_x, weight, dense_y);
    EXPECT_TRUE(same_bits(y, dense_y));
    EXPECT_EQ(norm(to_doubles(out.view().columns(0, 20))) + norm(to_doubles(out.view().columns(70, 20))), 0);
  }
}

TEST(Quantised, WhatIsNotFiniteStaysSoInItsRow) {
  const Tensor w = random_tensor("w", {50, 70});
  for (KernelChoice kernels : {KernelChoice::fast, KernelChoice::reference})
    for (float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::nanf("")}) {
      Engine engine(1, kernels);
      const Tensor x = random_tensor("x", {3, 70}), y(DType::f32, {3, 50});
      x.as<float>()[70 + 66] = bad;
      for (int64_t i = 0; i < 70; ++i) x.as<float>()[2 * 70 + i] = 1e-35f;
      matmul(engine.exec, x, quantised(w, WeightFormat::int8), y);
      for (int64_t o = 0; o < 50; ++o) {
        EXPECT_TRUE(std::isfinite(y.as<float>()[o]));
        EXPECT_TRUE(std::isnan(y.as<float>()[50 + o]));
        EXPECT_EQ(y.as<float>()[100 + o], 0);
      }
    }
}

TEST(Quantised, IsForInferenceAloneAndFitsItsShapes) {
  Engine engine(1);
  const Tensor x = random_tensor("x", {4, 64}), w = random_tensor("w", {8, 64}), y(DType::f32, {4, 8});
  Weight weight = quantised(w, WeightFormat::int8);
  Tape tape(engine.device);
  const Var by_tape = matmul(tape, tape.constant(x), weight);
  matmul(engine.exec, x, weight, y);
  EXPECT_TRUE(same_bits(tape.value(by_tape), y));
  EXPECT_THROW(matmul(tape, tape.input(x), weight), Error);
  EXPECT_THROW(matmul(engine.exec, x.view().columns(0, 63), weight, y), Error);
  EXPECT_THROW(matmul(engine.exec, x, weight, y.view().columns(0, 7)), Error);
  matmul(engine.exec, x.view().row_range(2, 0), weight, y.view().row_range(2, 0));
  EXPECT_THROW(weight.quantise(pool_of(engine.device), w, WeightFormat::f32), Error);
  for (WeightFormat format : formats) {
    const auto zero = [&](int64_t in) { return QuantisedTensors::zero(format, {8, in}); };
    const auto take = [&](QuantisedTensors made, int64_t in) {
      weight.take(pool_of(engine.device), std::move(made), in);
    };
    EXPECT_THROW(take(zero(64), 62), Error);
    EXPECT_THROW(take({format, zero(64).values, zero(32).scales}, 64), Error);
    EXPECT_THROW(take({format, zero(64).scales, zero(64).scales}, 64), Error);
    take(zero(62), 62);
  }
}

}  // namespace
}  // namespace statera::test
