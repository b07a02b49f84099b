// What is special to selective_scan beside the laws of op_laws_test.cpp: any split of a sequence changes no bit, and
// states are moved in place.
#include "ops/selective_scan/selective_scan.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/arena.hpp"
#include "statera/error.hpp"
#include "support/op_run.hpp"

namespace statera::test {
namespace {

constexpr int64_t channels = 150, d_state = 16, length = 75;

struct Problem {
  Tensor u, delta, A, B, C, D, z, bias;
  Problem() {
    const auto fill = [&](const char* name, const Shape& shape, double low, double high) {
      const Random random(1, name);
      std::vector<double> v(static_cast<size_t>(shape.elements()));
      for (size_t i = 0; i < v.size(); ++i) v[i] = low + (high - low) * random.uniform(i);
      return to_tensor(DType::f32, shape, v);
    };
    u = fill("u", {length, channels}, -1, 1), delta = fill("delta", {length, channels}, -3, 1),
    z = fill("z", {length, channels}, -3, 3);
    A = fill("A", {channels, d_state}, -4, -0.1), D = fill("D", {channels}, -1, 1),
    bias = fill("bias", {channels}, -1, 1);
    B = fill("B", {length, d_state}, -1, 1), C = fill("C", {length, d_state}, -1, 1);
  }
  SelectiveScanInputs<View> slice(int64_t begin, int64_t count) const {
    const auto part = [&](const Tensor& t) { return t.view().row_range(begin, count); };
    return {part(u), part(delta), A, part(B), part(C), D, part(z), bias};
  }
};

std::vector<double> in_pieces(const Problem& p, const std::vector<int64_t>& cuts, const Tensor& state) {
  const Device device = Device::cpu({.threads = 2});
  std::vector<double> y;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    Arena scratch;
    Exec exec{pool_of(device), scratch, device.kernels()};
    const int64_t count = cuts[i + 1] - cuts[i];
    const View out = scratch.allocate(DType::f32, {count, channels});
    const std::vector<int32_t> offsets{0, static_cast<int32_t>(count)};
    const std::vector<int64_t> start{cuts[i]};
    void* pointer = state.view().data;
    selective_scan(exec, p.slice(cuts[i], count), {offsets, start}, &pointer, out);
    const std::vector<double> part = to_doubles(out);
    y.insert(y.end(), part.begin(), part.end());
  }
  return y;
}

class SelectiveScan : public testing::Test {
 protected:
  void SetUp() override { Arena::set_poison(true); }
  void TearDown() override { Arena::set_poison(false); }
  static Tensor state() { return Tensor(DType::f32, {channels, d_state}); }
  const Problem problem;
};

TEST_F(SelectiveScan, NoSplitChangesABit) {
  const Tensor whole = state();
  const std::vector<double> expected = in_pieces(problem, {0, length}, whole);
  std::vector<int64_t> steps;
  for (int64_t t = 0; t <= length; ++t) steps.push_back(t);
  for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{0, 8, 64, length}, {0, 1, 1, 13, 14, length}, steps}) {
    const Tensor cut = state();
    EXPECT_EQ(in_pieces(problem, cuts, cut), expected) << cuts.size() << " cuts";
    EXPECT_EQ(to_doubles(cut), to_doubles(whole)) << cuts.size() << " cuts";
  }
}

TEST_F(SelectiveScan, ANewSequenceIgnoresTheStateInItsSlot) {
  const Tensor clean = state(), stale = state();
  for (int64_t i = 0; i < channels * d_state; ++i) stale.as<float>()[i] = NAN;
  EXPECT_EQ(in_pieces(problem, {0, length}, stale), in_pieces(problem, {0, length}, clean));
  EXPECT_EQ(to_doubles(stale), to_doubles(clean));
}

// exp(dt A) far below the smallest float forgets, and a long memory (dt A near 0) keeps.
TEST_F(SelectiveScan, ExtremeDecays) {
  Problem p;
  for (int64_t i = 0; i < length * channels; ++i) p.delta.as<float>()[i] = i / channels % 5 == 0 ? 3000.0f : -20.0f;
  const Tensor h = state();
  for (const double y : in_pieces(p, {0, length}, h)) ASSERT_TRUE(std::isfinite(y));
  for (int64_t i = 0; i < length * channels; ++i) p.delta.as<float>()[i] = -60.0f;
  for (int64_t i = 0; i < channels * d_state; ++i) h.as<float>()[i] = 1;
  in_pieces(p, {1, length}, h);
  for (const double kept : to_doubles(h)) ASSERT_NEAR(kept, 1, 1e-6);
}

TEST_F(SelectiveScan, WrongShapesAreNamed) {
  Tape tape;
  const auto var = [&](const View& v) { return tape.constant(v); };
  const std::vector<int32_t> offsets{0, length};
  const std::vector<int64_t> start{0};
  const auto run = [&](const View& B, const View& D) {
    selective_scan(tape, {var(problem.u), var(problem.delta), var(problem.A), var(B), var(problem.C), var(D)}, {},
                   {offsets, start});
  };
  EXPECT_NO_THROW(run(problem.B, problem.D));
  EXPECT_THROW(run(problem.B.view().columns(0, 15), problem.D), Error);
  EXPECT_THROW(run(problem.B, problem.A), Error);
}

}  // namespace
}  // namespace statera::test
