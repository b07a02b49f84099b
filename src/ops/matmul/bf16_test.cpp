// Products of factors rounded to bf16: the rounding itself, and y, dx and dW against sums in double of the same rounded
// factors.
#include "ops/matmul/bf16.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "statera/random.hpp"
#include "ops/matmul/matmul.hpp"
#include "support/engine.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/matmul/bf16_test.cpp"
#include "core/simd.hpp"
#include "ops/matmul/bf16-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
template <class Rounding>
void PairAll(const float* from, int64_t count, float* neighbours, float* across) {
  const LanesTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += lanes) {
    hn::StoreU(Rounding::neighbours(from + 2 * i), d, neighbours + i);
    hn::StoreU(Rounding::pair(hn::LoadU(d, from + i), hn::LoadU(d, from + count + i)), d, across + i);
  }
}
void RunRounding(bool by_the_cpu, const float* from, int64_t count, float* neighbours, float* across) {
  (by_the_cpu ? PairAll<ByTheCpu> : PairAll<InSteps>)(from, count, neighbours, across);
}
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera::test {
namespace {
HWY_EXPORT(RunRounding);

float of_bits(uint32_t bits) { return std::bit_cast<float>(bits); }

TEST(Bf16, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(round_to_bf16(1.0f), 1.0f);
  EXPECT_EQ(round_to_bf16(of_bits(0x3f808000)), 1.0f);                 // a tie: down to even
  EXPECT_EQ(round_to_bf16(of_bits(0x3f818000)), of_bits(0x3f820000));  // a tie: up to even
  EXPECT_EQ(round_to_bf16(of_bits(0x3f808001)), of_bits(0x3f810000));
  EXPECT_EQ(round_to_bf16(-of_bits(0x3f808001)), -of_bits(0x3f810000));
  EXPECT_EQ(round_to_bf16(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
  EXPECT_EQ(round_to_bf16(-std::numeric_limits<float>::infinity()), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(std::bit_cast<uint32_t>(round_to_bf16(of_bits(0x807fffff))), 0x80000000u);  // smaller than normal numbers
  EXPECT_TRUE(std::isnan(round_to_bf16(of_bits(0x7f800001))));
  EXPECT_TRUE(std::isnan(round_to_bf16(of_bits(0xffffffff))));
}

// Any bits: also NaN, infinities and the smallest numbers.
std::vector<float> any_floats(int64_t count) {
  const Random random(9, "any");
  std::vector<float> all(static_cast<size_t>(count));
  for (size_t i = 0; i < all.size(); ++i) all[i] = of_bits(static_cast<uint32_t>(random.bits(i)));
  for (size_t i = 0; i < all.size(); i += 7)
    all[i] = of_bits((static_cast<uint32_t>(random.bits(i)) & 0xffff0000u) | 0x8000u);  // ties
  return all;
}

uint32_t pair_of(float first, float second) {
  return std::bit_cast<uint32_t>(round_to_bf16(first)) >> 16 | std::bit_cast<uint32_t>(round_to_bf16(second));
}

// On any CPU that has the instruction only one of the two ways is taken elsewhere.
TEST(Bf16, BothWaysToRoundGiveTheSameBits) {
  constexpr int64_t count = 4096;
  const std::vector<float> from = any_floats(2 * count);
  for (const bool by_the_cpu : {false, true}) {
    if (by_the_cpu && !multiplies_bf16()) continue;
    std::vector<float> neighbours(count), across(count);
    HWY_DYNAMIC_DISPATCH(RunRounding)(by_the_cpu, from.data(), count, neighbours.data(), across.data());
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(neighbours[i]), pair_of(from[2 * i], from[2 * i + 1]))
          << i << ' ' << by_the_cpu;
      ASSERT_EQ(std::bit_cast<uint32_t>(across[i]), pair_of(from[i], from[count + i])) << i << ' ' << by_the_cpu;
    }
  }
}

TEST(Bf16, PairsStandWhereTheTileLooksForThem) {
  ThreadPool pool(2);
  for (const int64_t rows : {1, 2, 33, 100})
    for (const int64_t columns : {1, 2, 31, 64, 133}) {
      const int64_t stride = columns + 3;
      std::vector<float> from = any_floats(rows * stride);
      const auto at = [&](int64_t r, int64_t c) {
        return r < rows && c < columns ? from[static_cast<size_t>(r * stride + c)] : 0.0f;
      };
      const auto bits = [](float x) { return std::bit_cast<uint32_t>(x); };
      std::vector<float> across(static_cast<size_t>(rows * bf16_pairs(columns))),
          down(static_cast<size_t>(bf16_pairs(rows) * columns));
      pair_columns(pool, from.data(), stride, rows, columns, across.data());
      pair_rows(pool, from.data(), stride, rows, columns, down.data());
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) {
          ASSERT_EQ(bits(across[static_cast<size_t>(r * bf16_pairs(columns) + c / 2)]),
                    pair_of(at(r, c / 2 * 2), at(r, c / 2 * 2 + 1)));
          ASSERT_EQ(bits(down[static_cast<size_t>(r / 2 * columns + c)]),
                    pair_of(at(r / 2 * 2, c), at(r / 2 * 2 + 1, c)));
        }
      View matrix(from.data(), DType::f32, {rows, columns});
      matrix.stride = stride;
      for (const bool transpose : {false, true}) {  // B [k, n] = matrix, or its transpose
        const int64_t k = transpose ? columns : rows, n = transpose ? rows : columns;
        std::vector<float> memory(static_cast<size_t>(Panels::elements(n, bf16_pairs(k))), 1.0f);
        const Panels p = pack_pairs(pool, matrix, transpose, memory.data());
        ASSERT_EQ(p.k, bf16_pairs(k));
        for (int64_t j = 0; j < p.count(); ++j)
          for (int64_t r = 0; r < p.k; ++r)
            for (int64_t c = 0; c < p.stride(j); ++c) {
              const int64_t column = c < p.columns(j) ? j * Panels::width + c : n;
              const auto b = [&](int64_t row) {
                return column == n ? 0.0f : transpose ? at(column, row) : at(row, column);
              };
              ASSERT_EQ(bits(p.panel(j)[r * p.stride(j) + c]), pair_of(b(2 * r), b(2 * r + 1)))
                  << rows << " x " << columns << ' ' << transpose;
            }
      }
    }
}

// sum over k of a(k) b(k), rounded factors; and the sum of magnitudes, by which an fp32 chain of k additions may err k
// + 2 times eps / 2.
struct Sum {
  double value = 0, size = 0;
  void add(float a, float b) {
    const double product = static_cast<double>(round_to_bf16(a)) * round_to_bf16(b);
    value += product;
    size += std::abs(product);
  }
  double bound(int64_t k) const { return static_cast<double>(k + 2) * 0x1p-24 * size + 1e-30; }
};

TEST(Bf16, ForwardAndGradientsAreSumsOfRoundedFactors) {
  for (const KernelChoice kernels : {KernelChoice::fast, KernelChoice::reference})
    for (const int64_t rows : {1, 5, 131, 600})
      for (const int64_t in : {37, 130}) {
        const int64_t out = 101;
        const Device device = Device::cpu({.threads = 2, .kernels = kernels, .precision = Precision::bf16});
        const Tensor x = random_tensor("x", {rows, in}), w = random_tensor("w", {out, in}),
                     dy = random_tensor("dy", {rows, out});
        const Tensor dw(DType::f32, {out, in});
        Weight weight;
        weight.bind(w, dw, nullptr);
        Tape tape(device);
        const Var from = tape.input(x), y = matmul(tape, from, weight);
        const View grads[] = {dy};
        tape.backward(std::span(&y, 1), grads);
        const float *px = x.as<float>(), *pw = w.as<float>(), *pdy = dy.as<float>();
        const auto check = [&](const View& got, int64_t k, auto term) {
          for (int64_t i = 0; i < got.rows(); ++i)
            for (int64_t j = 0; j < got.cols(); ++j) {
              Sum sum;
              for (int64_t n = 0; n < k; ++n) term(sum, i, j, n);
              ASSERT_NEAR(got.as<float>()[i * got.stride + j], sum.value, sum.bound(k))
                  << rows << " rows, in " << in << ", at " << i << ", " << j;
            }
        };
        check(tape.value(y), in,
              [&](Sum& s, int64_t i, int64_t j, int64_t n) { s.add(px[i * in + n], pw[j * in + n]); });
        check(tape.grad(from), out,
              [&](Sum& s, int64_t i, int64_t j, int64_t n) { s.add(pdy[i * out + n], pw[n * in + j]); });
        check(dw, rows, [&](Sum& s, int64_t i, int64_t j, int64_t n) { s.add(pdy[n * out + i], px[n * in + j]); });
      }
}

TEST(Bf16, NeitherRowsNorThreadsChangeABit) {
  const int64_t rows = 300, in = 1700, out = 250;  // more than a block of the sum
  const Tensor x = random_tensor("x", {rows, in}), w = random_tensor("w", {out, in}), all(DType::f32, {rows, out});
  Weight weight;
  weight.bind(w, {}, nullptr);
  Engine one(1, KernelChoice::fast, Precision::bf16);
  matmul(one.exec, x, weight, all);
  for (const int threads : {1, 2, 3})
    for (const int64_t count : {1, 7, 129}) {
      Engine engine(threads, KernelChoice::fast, Precision::bf16);
      const Tensor some(DType::f32, {count, out});
      matmul(engine.exec, x.view().row_range(100, count), weight, some);
      EXPECT_EQ(
          std::memcmp(some.as<float>(), all.as<float>() + 100 * out, static_cast<size_t>(count * out) * sizeof(float)),
          0)
          << count;
    }
}

TEST(Bf16, AWeightKeepsItsPanelsOfBothPrecisions) {
  Engine fp32(1), bf16(1, KernelChoice::fast, Precision::bf16);
  const Tensor x = random_tensor("x", {3, 64}), w = random_tensor("w", {50, 64}), a(DType::f32, {3, 50}),
               b(DType::f32, {3, 50}), c(DType::f32, {3, 50});
  Weight weight;
  weight.bind(w, {}, nullptr);
  matmul(fp32.exec, x, weight, a);
  matmul(bf16.exec, x, weight, b);
  matmul(fp32.exec, x, weight, c);
  EXPECT_EQ(std::memcmp(a.as<float>(), c.as<float>(), 150 * sizeof(float)), 0);
  Weight fresh;
  fresh.bind(w, {}, nullptr);
  matmul(bf16.exec, x, fresh, c);
  EXPECT_EQ(std::memcmp(b.as<float>(), c.as<float>(), 150 * sizeof(float)), 0);
  EXPECT_NE(std::memcmp(a.as<float>(), b.as<float>(), 150 * sizeof(float)), 0);
}

}  // namespace
}  // namespace statera::test
#endif
