// What is special to ssd beside the laws of op_laws_test.cpp: the chunk grid, slices, and states in place.
#include "ops/ssd/ssd.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/arena.hpp"
#include "statera/error.hpp"
#include "support/op_run.hpp"

namespace statera::test {
namespace {

constexpr int64_t heads = 6, headdim = 20, groups = 2, d_state = 24, state_size = heads * headdim * d_state;

struct Problem {
  Tensor x, dt, A, B, C, D, bias;
  explicit Problem(int64_t rows, uint64_t seed = 1, double dt_low = -3, double dt_high = 1) {
    const auto fill = [&](const char* name, const Shape& shape, double low, double high) {
      const Random random(seed, name);
      std::vector<double> v(static_cast<size_t>(shape.elements()));
      for (size_t i = 0; i < v.size(); ++i) v[i] = low + (high - low) * random.uniform(i);
      return to_tensor(DType::f32, shape, v);
    };
    x = fill("x", {rows, heads * headdim}, -1, 1), dt = fill("dt", {rows, heads}, dt_low, dt_high);
    A = fill("A", {heads}, -2, -0.1), D = fill("D", {heads}, -1, 1), bias = fill("bias", {heads}, -1, 1);
    B = fill("B", {rows, groups * d_state}, -1, 1), C = fill("C", {rows, groups * d_state}, -1, 1);
  }
  SsdInputs<View> slice(int64_t begin, int64_t count) const {
    const auto part = [&](const Tensor& t) { return t.view().row_range(begin, count); };
    return {part(x), part(dt), A, part(B), part(C), D, bias};
  }
};

// Runs rows [begin, begin + count) of one sequence with its state in place.
std::vector<double> advance(const Problem& p, int64_t begin, int64_t count, const Tensor& state, int64_t chunk = 64,
                            KernelChoice kernels = KernelChoice::fast) {
  const Device device = Device::cpu({.threads = 2, .kernels = kernels});
  Arena scratch;
  Exec exec{pool_of(device), scratch, device.kernels()};
  const View y = scratch.allocate(DType::f32, {count, heads * headdim});
  const std::vector<int32_t> offsets{0, static_cast<int32_t>(count)};
  const std::vector<int64_t> start{begin};
  void* pointer = state.view().data;
  ssd(exec, p.slice(begin, count), {offsets, start}, {.n_groups = groups, .chunk_size = chunk}, &pointer, y);
  return to_doubles(y);
}

std::vector<double> in_pieces(const Problem& p, const std::vector<int64_t>& cuts, const Tensor& state,
                              int64_t chunk = 64) {
  std::vector<double> y;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    const std::vector<double> part = advance(p, cuts[i], cuts[i + 1] - cuts[i], state, chunk);
    y.insert(y.end(), part.begin(), part.end());
  }
  return y;
}

class Ssd : public testing::Test {
 protected:
  void SetUp() override { Arena::set_poison(true); }
  void TearDown() override { Arena::set_poison(false); }
  static Tensor state() { return Tensor(DType::f32, {heads, headdim, d_state}); }
};

TEST_F(Ssd, ASplitOnTheChunkGridChangesNoBit) {
  const Problem p(195);  // the last chunk has 3 rows: by steps in both
  const Tensor whole = state(), cut = state();
  const std::vector<double> expected = advance(p, 0, 195, whole);
  EXPECT_EQ(in_pieces(p, {0, 64, 192, 195}, cut), expected);
  EXPECT_EQ(to_doubles(cut), to_doubles(whole));
}

TEST_F(Ssd, AnySplitAndAnyChunkAgree) {
  const Problem p(150);
  const Tensor reference = state();
  const std::vector<double> expected = advance(p, 0, 150, reference, 64, KernelChoice::reference),
                            last = to_doubles(reference);
  std::vector<int64_t> steps;
  for (int64_t t = 0; t <= 150; ++t) steps.push_back(t);
  for (const std::vector<int64_t>& cuts :
       {std::vector<int64_t>{0, 150}, {0, 9, 75, 83, 150}, {0, 1, 2, 100, 101, 150}, steps})
    for (int64_t chunk : {1, 16, 64, 150}) {
      const Tensor s = state();
      EXPECT_LE(relative_l2(in_pieces(p, cuts, s, chunk), expected), 2e-6) << cuts.size() << " cuts, chunk " << chunk;
      EXPECT_LE(relative_l2(to_doubles(s), last), 2e-6) << cuts.size() << " cuts, chunk " << chunk;
    }
}

TEST_F(Ssd, ANewSequenceIgnoresTheStateInItsSlot) {
  const Problem p(70);
  const Tensor clean = state(), stale = state();
  for (int64_t i = 0; i < state_size; ++i) stale.as<float>()[i] = NAN;
  EXPECT_EQ(advance(p, 0, 70, stale), advance(p, 0, 70, clean));
  EXPECT_EQ(to_doubles(stale), to_doubles(clean));
}

// Large decays beside small ones: sums over the sequence would lose the small ones.
TEST_F(Ssd, StrongDecaysHideNoWeakOnes) {
  const Problem p(128, 2, -9, -7);
  for (int64_t t = 0; t < 128; t += 16) p.dt.as<float>()[t * heads] = 3000;
  const Tensor fast = state(), plain = state();
  const std::vector<double> y = advance(p, 0, 128, fast),
                            expected = advance(p, 0, 128, plain, 64, KernelChoice::reference);
  EXPECT_LE(relative_l2(y, expected), 2e-6);
}

TEST_F(Ssd, WrongShapesAreNamed) {
  const Problem p(8);
  Tape tape;
  const auto run = [&](int64_t n_groups, int64_t chunk) {
    const auto var = [&](const Tensor& t) { return tape.constant(t); };
    const std::vector<int32_t> offsets{0, 8};
    const std::vector<int64_t> start{0};
    ssd(tape, {var(p.x), var(p.dt), var(p.A), var(p.B), var(p.C), var(p.D), var(p.bias)}, {}, {offsets, start},
        {.n_groups = n_groups, .chunk_size = chunk});
  };
  EXPECT_NO_THROW(run(2, 64));
  EXPECT_THROW(run(4, 64), Error);
  EXPECT_THROW(run(2, 0), Error);
}

}  // namespace
}  // namespace statera::test
