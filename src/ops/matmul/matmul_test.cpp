// What the laws of all operations do not see: bits of a row alone and among others, strided views, and a Weight's
// panels and gradient.
#include "ops/matmul/matmul.hpp"

#include <gtest/gtest.h>

#include <array>

#include <cstring>
#include <thread>

#include "core/memory.hpp"
#include "statera/random.hpp"
#include "statera/error.hpp"
#include "support/engine.hpp"
#include "support/tolerance.hpp"

namespace statera::test {
namespace {

bool same_bits(const View& a, const View& b) {
  for (int64_t row = 0; row < a.rows(); ++row)
    if (std::memcmp(a.as<float>() + row * a.stride, b.as<float>() + row * b.stride,
                    static_cast<size_t>(a.cols()) * sizeof(float)))
      return false;
  return a.shape == b.shape;
}

TEST(Matmul, ARowHasTheSameBitsAloneAndAmongOthers) {
  struct Size {
    int64_t in, out;
  };
  // five, three and two panels and some: a row alone reads several side by side; 1100 crosses a block of the sum (and a
  // narrow one after them, of one, two or three vectors)
  for (const auto [in, out] :
       {Size{37, 250}, Size{37, 150}, Size{37, 100}, Size{37, 47}, Size{37, 70}, Size{37, 95}, Size{1100, 250}}) {
    const int64_t rows = 1000;
    const Tensor x = random_tensor("x", {rows, in}), w = random_tensor("w", {out, in}),
                 bias = random_tensor("bias", {out});
    Weight weight;
    weight.bind(w, {}, nullptr);
    Engine one(1);
    const Tensor all(DType::f32, {rows, out});
    matmul(one.exec, x, weight, all, bias);
    for (int threads : {1, 2, 3})
      for (int64_t count : {1, 2, 7, 16, 17, 129}) {
        Engine engine(threads);
        for (int64_t first : {0, 5, 871}) {
          const Tensor some(DType::f32, {count, out});
          matmul(engine.exec, x.view().row_range(first, count), weight, some, bias);
          EXPECT_TRUE(same_bits(some, all.view().row_range(first, count)))
              << count << " rows at " << first << ", " << threads << " threads";
        }
      }
  }
}

TEST(Matmul, ReadsAndWritesColumnsOfWiderMatrices) {
  Engine engine(2);
  const Tensor wide = random_tensor("wide", {19, 100}), w = random_tensor("w", {50, 37}), out(DType::f32, {19, 90});
  Weight weight;
  weight.bind(w, {}, nullptr);
  const View x = wide.view().columns(11, 37), y = out.view().columns(20, 50);
  matmul(engine.exec, x, weight, y);
  const Tensor dense_x(DType::f32, x.shape), dense_y(DType::f32, y.shape);
  copy(x, dense_x);
  matmul(engine.exec, dense_x, weight, dense_y);
  EXPECT_TRUE(same_bits(y, dense_y));
  EXPECT_EQ(norm(to_doubles(out.view().columns(0, 20))) + norm(to_doubles(out.view().columns(70, 20))), 0);
}

TEST(Matmul, WeightIsPackedAgainWhenItsVersionChanges) {
  Engine engine(2);
  const Tensor x = random_tensor("x", {3, 64}), w = random_tensor("w", {50, 64}), before(DType::f32, {3, 50}),
               after(DType::f32, {3, 50});
  std::atomic<uint64_t> version{0};
  Weight weight;
  weight.bind(w, {}, &version);
  matmul(engine.exec, x, weight, before);
  const float* memory = weight.panels(engine.exec).data;
  for (int64_t i = 0; i < w.view().elements(); ++i) w.as<float>()[i] *= 2;
  version.fetch_add(1);
  matmul(engine.exec, x, weight, after);
  EXPECT_EQ(weight.panels(engine.exec).data, memory);
  for (int64_t i = 0; i < before.view().elements(); ++i) EXPECT_EQ(after.as<float>()[i], 2 * before.as<float>()[i]);
}

TEST(Matmul, TwoThreadsMayUseAWeightThatIsNotPackedYet) {
  const Tensor x = random_tensor("x", {3, 64}), w = random_tensor("w", {50, 64}), a(DType::f32, {3, 50}),
               b(DType::f32, {3, 50});
  Weight weight;
  weight.bind(w, {}, nullptr);
  const auto use = [&](const View& y) {
    Engine engine(2);
    matmul(engine.exec, x, weight, y);
  };
  std::thread other(use, a.view());
  use(b);
  other.join();
  EXPECT_TRUE(same_bits(a, b));
}

TEST(Matmul, WeightGradientIsThatOfAVarAndAdds) {
  const Tensor x = random_tensor("x", {600, 37}), w = random_tensor("w", {50, 37}), dy = random_tensor("dy", {600, 50}),
               dw(DType::f32, {50, 37});
  const Device device = Device::cpu({.threads = 2});
  Weight weight;
  weight.bind(w, dw, nullptr);
  Tape tape(device);
  const Var by_weight = matmul(tape, tape.constant(x), weight);
  const View seed = dy;
  const Var input = tape.input(x), value = tape.input(w), by_var = matmul(tape, input, value);
  tape.backward(std::array{by_weight, by_var}, std::array{seed, seed});
  EXPECT_TRUE(same_bits(tape.value(by_weight), tape.value(by_var)));
  EXPECT_TRUE(same_bits(dw, tape.grad(value)));
  tape.reset();
  const Var again = matmul(tape, tape.constant(x), weight);
  tape.backward(std::span(&again, 1), std::span(&seed, 1));
  for (int64_t i = 0; i < dw.view().elements(); ++i) EXPECT_NE(dw.as<float>()[i], 0);
}

TEST(Matmul, ThroughAWeightThatIsNotTrainedTheInputHasTheSameGradient) {
  const Tensor x = random_tensor("x", {20, 37}), w = random_tensor("w", {50, 37}), dy = random_tensor("dy", {20, 50});
  const Device device = Device::cpu({.threads = 1});
  Weight weight;
  weight.bind(w, View(), nullptr);
  Tape tape(device);
  const View seed = dy;
  const Var in = tape.input(x), by_weight = matmul(tape, in, weight);  // which keeps panels: of its transpose
  const Var same = tape.input(x), by_var = matmul(tape, same, tape.constant(w));
  tape.backward(std::array{by_weight, by_var}, std::array{seed, seed});
  EXPECT_TRUE(same_bits(tape.grad(in), tape.grad(same)));
}

TEST(Matmul, AWeightInTrainingKeepsNoPanels) {
  const Tensor x = random_tensor("x", {20, 37}), w = random_tensor("w", {50, 37}), dy = random_tensor("dy", {20, 50}),
               dw(DType::f32, {50, 37});
  const Device device = Device::cpu({.threads = 1});
  Tape tape(device);
  const View seed = dy;
  Weight weights[2];
  int64_t calls[2];
  for (int i = 0; i < 2; ++i) {  // the second one finds the tape's memory there
    weights[i].bind(w, dw, nullptr);
    const int64_t before = memory_calls();
    const Var y = matmul(tape, tape.input(x), weights[i]);
    tape.backward(std::span(&y, 1), std::span(&seed, 1));
    tape.reset();
    calls[i] = memory_calls() - before;
  }
  EXPECT_GT(calls[0], 0);
  EXPECT_EQ(calls[1], 0);
}

TEST(Matmul, NoRowsAndWrongShapes) {
  Engine engine(2);
  const Tensor x(DType::f32, {4, 16}), w = random_tensor("w", {8, 16}), y(DType::f32, {4, 8});
  Weight weight;
  weight.bind(w, {}, nullptr);
  matmul(engine.exec, x.view().row_range(2, 0), weight, y.view().row_range(2, 0));
  EXPECT_THROW(matmul(engine.exec, x.view().columns(0, 15), weight, y), Error);
  EXPECT_THROW(matmul(engine.exec, x, weight, y.view().columns(0, 7)), Error);
  EXPECT_THROW(matmul(engine.exec, x, weight, y, w), Error);
}

// A backward kernel overwrites, also where there is nothing to add up.
TEST(Matmul, WithoutRowsTheWeightGradientIsZero) {
  for (const KernelChoice choice : {KernelChoice::reference, KernelChoice::fast}) {
    Engine engine(1, choice);
    std::vector<float> dw(6, 1.0f);
    const float nothing = 0;
    matmul_kernels.of<float>(choice).weight_grad({.dy = &nothing,
                                                  .dy_stride = 2,
                                                  .x = &nothing,
                                                  .x_stride = 3,
                                                  .dw = dw.data(),
                                                  .dw_stride = 3,
                                                  .rows = 0,
                                                  .out = 2,
                                                  .in = 3},
                                                 engine.exec);
    EXPECT_EQ(dw, std::vector<float>(6, 0.0f));
  }
}

// Beyond the 384 columns and the 512 rows at which the fast kernels cut their sums.
TEST(Matmul, PortableHasTheBitsOfTheReferenceBeyondAllCuts) {
  const int64_t rows = 600, in = 800, out = 70;
  const Tensor x = random_tensor("x", {rows, in}), w = random_tensor("w", {out, in}),
               dy = random_tensor("dy", {rows, out});
  const auto products = [&](KernelChoice kernels, int threads) {
    const Device device = Device::cpu({.threads = threads, .kernels = kernels});
    Tape tape(device);
    Tensor wx(DType::f32, {out, in});
    copy(w, wx);
    const Var a = tape.input(x), b = tape.input(wx), y = matmul(tape, a, b);
    tape.backward(std::array{y}, std::array{dy.view()});
    std::vector<float> all;
    for (const View& v : {tape.value(y), tape.grad(a), tape.grad(b)})
      all.insert(all.end(), v.as<float>(), v.as<float>() + v.elements());
    return all;
  };
  const auto expected = products(KernelChoice::reference, 1);
  EXPECT_EQ(products(KernelChoice::portable, 1), expected);
  EXPECT_EQ(products(KernelChoice::portable, 3), expected);
}

}  // namespace
}  // namespace statera::test
