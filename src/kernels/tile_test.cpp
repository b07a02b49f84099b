// The tile on every shape around its register block: the result, what it must not touch, and bits that no cut changes.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "statera/random.hpp"
#include "statera/device.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tile_test.cpp"
#include "core/simd.hpp"
#include "kernels/tile-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
void RunTile(bool accumulate, const float* A, int64_t rs_a, int64_t cs_a, const float* B, int64_t ldb, float* C,
             int64_t ldc, int64_t m, int64_t n, int64_t k, const float* ahead) {
  if (accumulate)
    Tile<true>(A, rs_a, cs_a, B, ldb, C, ldc, m, n, k, ahead);
  else
    Tile<false>(A, rs_a, cs_a, B, ldb, C, ldc, m, n, k, ahead);
}

// c [m, n] = A B of pairs of bf16 [m, k], [k, n], dense.
void RunPairs(bool in_one_instruction, const float* A, const float* B, float* C, int64_t m, int64_t n, int64_t k) {
  if (in_one_instruction)
    Tile<false, DotPairs>(A, k, 1, B, n, C, n, m, n, k);
  else
    Tile<false, SplitPairs>(A, k, 1, B, n, C, n, m, n, k);
}
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera::test {
namespace {
HWY_EXPORT(RunTile);
HWY_EXPORT(RunPairs);

std::vector<float> random_matrix(const char* name, int64_t elements) {
  const Random random(5, name);
  std::vector<float> m(static_cast<size_t>(elements));
  for (size_t i = 0; i < m.size(); ++i) m[i] = static_cast<float>(2 * random.uniform(i) - 1);
  return m;
}

constexpr float untouched = 12345;

TEST(Tile, IsTheProductAndWritesNothingElse) {
  const auto tile = HWY_DYNAMIC_DISPATCH(RunTile);
  for (int64_t m : {1, 2, 5, 6, 7, 8, 9, 17})
    for (int64_t n : {1, 3, 4, 8, 15, 16, 17, 32, 47, 48, 49, 64, 100})
      for (int64_t k : {0, 1, 37})
        for (bool transposed : {false, true}) {
          const int64_t ldb = n + 3, ldc = n + 5;
          const int64_t rs = transposed ? 1 : k + 2, cs = transposed ? m + 2 : 1;
          std::vector<float> a = random_matrix("a", (m + 2) * (k + 2)), b = random_matrix("b", (k + 1) * ldb);
          for (int64_t row = 0; row < k; ++row)  // what lies between the rows must not be used
            for (int64_t j = n; j < ldb; ++j)
              b[static_cast<size_t>(row * ldb + j)] = std::numeric_limits<float>::quiet_NaN();
          for (bool accumulate : {false, true}) {
            std::vector<float> c(static_cast<size_t>(m * ldc), untouched);
            tile(accumulate, a.data(), rs, cs, b.data(), ldb, c.data(), ldc, m, n, k, nullptr);
            for (int64_t i = 0; i < m; ++i)
              for (int64_t j = 0; j < ldc; ++j) {
                double sum = accumulate || j >= n ? untouched : 0;
                for (int64_t kk = 0; kk < k && j < n; ++kk)
                  sum += static_cast<double>(a[static_cast<size_t>(i * rs + kk * cs)]) *
                         b[static_cast<size_t>(kk * ldb + j)];
                const double tolerance = j >= n ? 0 : accumulate ? 2e-2 : 1e-5;
                ASSERT_NEAR(c[static_cast<size_t>(i * ldc + j)], sum, tolerance)
                    << m << " x " << n << " x " << k << " at " << i << ", " << j;
              }
          }
        }
}

// The upper or the lower half of a pair, as the number it stands for.
double half(float pair, bool upper) {
  const auto bits = std::bit_cast<uint32_t>(pair);
  return static_cast<double>(std::bit_cast<float>(upper ? bits & 0xffff0000u : bits << 16));
}

TEST(Tile, PairsOfBf16AreTwoProductsWithAndWithoutTheInstruction) {
  const auto run = HWY_DYNAMIC_DISPATCH(RunPairs);
  const int64_t m = 9, n = 50, k = 23;
  // any floats are pairs: their lower halves too
  const std::vector<float> a = random_matrix("a", m * k), b = random_matrix("b", k * n);
  std::vector<float> pairs_a = a, pairs_b = b, c(static_cast<size_t>(m * n));
  for (std::vector<float>* v : {&pairs_a, &pairs_b})
    for (size_t i = 0; i < v->size(); ++i)
      (*v)[i] = std::bit_cast<float>((std::bit_cast<uint32_t>((*v)[i]) & 0xffff0000u) |
                                     std::bit_cast<uint32_t>((*v)[v->size() - 1 - i]) >> 16);
  for (const bool in_one_instruction : {false, multiplies_bf16()}) {
    run(in_one_instruction, pairs_a.data(), pairs_b.data(), c.data(), m, n, k);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t p = 0; p < k; ++p)
          for (const bool upper : {false, true})
            sum += half(pairs_a[static_cast<size_t>(i * k + p)], upper) *
                   half(pairs_b[static_cast<size_t>(p * n + j)], upper);
        ASSERT_NEAR(c[static_cast<size_t>(i * n + j)], sum, 1e-5) << in_one_instruction << " at " << i << ", " << j;
      }
  }
}

TEST(Tile, NeitherCutsNorWhatIsFetchedChangeABit) {
  const auto tile = HWY_DYNAMIC_DISPATCH(RunTile);
  const int64_t m = 19, n = 101, k = 67;
  const std::vector<float> a = random_matrix("a", m * k), b = random_matrix("b", k * n);
  std::vector<float> whole(static_cast<size_t>(m * n)), cut(whole.size());
  tile(false, a.data(), k, 1, b.data(), n, whole.data(), n, m, n, k, nullptr);
  for (int64_t rows : {1, 3, 8})
    for (int64_t columns : {1, 16, 48, 50})
      for (int64_t depth : {5, 67}) {
        for (int64_t i = 0; i < m; i += rows)
          for (int64_t j = 0; j < n; j += columns)
            for (int64_t kk = 0; kk < k; kk += depth)
              tile(kk > 0, a.data() + i * k + kk, k, 1, b.data() + kk * n + j, n, cut.data() + i * n + j, n,
                   std::min(rows, m - i), std::min(columns, n - j), std::min(depth, k - kk), b.data());
        ASSERT_EQ(std::memcmp(whole.data(), cut.data(), whole.size() * sizeof(float)), 0)
            << rows << " x " << columns << " x " << depth;
      }
}

}  // namespace
}  // namespace statera::test
#endif
