// The tile of whole numbers on every shape around its register block: the exact result, what it must not touch, and
// cuts that change no bit, for every way of multiplying bytes that this machine has.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/isa.hpp"
#include "statera/random.hpp"
#include "statera/device.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/matmul/integer_tile_test.cpp"
#include "core/simd.hpp"
#include "ops/matmul/integer_tile-inl.hpp"

#ifndef STATERA_INTEGER_TILE_TEST  // this file is read once a target
#define STATERA_INTEGER_TILE_TEST
namespace statera {
struct TileRun {  // rows [m, k] and one panel, or a part of it
  WeightFormat format;
  const float* x;
  int64_t k;
  QuantisedPanels w;
  float* c;
  int64_t ldc;
  int64_t first_row, m, first_column, n, first_block, blocks;
  bool accumulate;
};
}  // namespace statera
#endif

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
template <class Dot>
void Run(const TileRun& r) {
  const int64_t blocks = r.w.blocks();
  std::vector<RowBlock<Dot>> x(static_cast<size_t>(r.m * blocks));
  for (int64_t i = 0; i < r.m; ++i)
    QuantiseRow<Dot>(r.x + (r.first_row + i) * r.k, r.k, r.w.zero(), x.data() + i * blocks);
  const IntegerTileArgs<Dot> args{x.data() + r.first_block,
                                  blocks,
                                  r.w.panel(0) + r.first_block * r.w.block_bytes(0) + 4 * r.first_column,
                                  r.w.stride(0),
                                  r.w.block_bytes(0),
                                  0,
                                  r.c + r.first_row * r.ldc + r.first_column,
                                  r.ldc,
                                  r.accumulate};
  if (r.format == WeightFormat::int8)
    IntegerTile<Dot, 8>(args, r.m, r.n, r.blocks);
  else
    IntegerTile<Dot, 4>(args, r.m, r.n, r.blocks);
}

bool RunTile(const TileRun& r, int way) {
  if (way == 0) return Run<PlainDot>(r), true;
  if (way == 1) return Run<LaneDot>(r), true;
#if HWY_TARGET == HWY_AVX3
  if (way == 2 && has_avx512_vnni()) return Run<VnniDot>(r), true;
#endif
  return false;
}
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera::test {
namespace {
HWY_EXPORT(RunTile);

// Whole numbers times powers of two that quantise to themselves: each block of 32 holds `extreme` (127, or -8 for int4)
// times its power.
std::vector<float> exact_matrix(const char* name, int64_t rows, int64_t k, int32_t extreme) {
  const Random random(5, name);
  std::vector<float> m(static_cast<size_t>(rows * k));
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < k; ++j) {
      const auto at = static_cast<uint64_t>(i * k + j);
      const int64_t block = j / quantised_block,
                    marked =
                        block * quantised_block + (i * 7 + 3) % std::min(quantised_block, k - block * quantised_block);
      const int64_t value = extreme > 0 ? static_cast<int64_t>(random.bits(at) % 255) - 127
                                        : static_cast<int64_t>(random.bits(at) % 16) - 8;
      m[at] = std::ldexp(static_cast<float>(j == marked ? extreme : value), static_cast<int>((i + block) % 3) - 1);
    }
  return m;
}

struct Exact {
  Exact(WeightFormat format, int64_t m, int64_t n, int64_t k)
      : m(m),
        n(n),
        k(k),
        x(exact_matrix("x", m, k, 127)),
        w(exact_matrix("w", n, k, format == WeightFormat::int8 ? 127 : -8)) {
    const Shape shape{n, k};
    const Tensor values(QuantisedMatrix::values_dtype(format), QuantisedMatrix::values_shape(format, shape)),
        scales(DType::f32, QuantisedMatrix::scales_shape(shape));
    const QuantisedMatrix matrix{format, values, scales};
    const Device device = Device::cpu({.threads = 1});
    quantise(pool_of(device), View(w.data(), DType::f32, shape), matrix);
    memory.resize(static_cast<size_t>(QuantisedPanels::bytes(format, n, k)));
    panels = QuantisedPanels::pack(pool_of(device), matrix, k, memory.data());
  }
  double product(int64_t i, int64_t j) const {
    double sum = 0;
    for (int64_t kk = 0; kk < k; ++kk)
      sum += static_cast<double>(x[static_cast<size_t>(i * k + kk)]) *
             static_cast<double>(w[static_cast<size_t>(j * k + kk)]);
    return sum;
  }
  TileRun run(float* c, int64_t ldc, bool accumulate) const {
    return {panels.format, x.data(), k, panels, c, ldc, 0, m, 0, n, 0, panels.blocks(), accumulate};
  }
  int64_t m, n, k;
  std::vector<float> x, w;
  std::vector<std::byte> memory;
  QuantisedPanels panels;
};

constexpr float untouched = 12345;

TEST(IntegerTile, IsTheExactProductAndWritesNothingElse) {
  const auto tile = HWY_DYNAMIC_DISPATCH(RunTile);
  for (WeightFormat format : {WeightFormat::int8, WeightFormat::int4})
    for (int64_t m : {1, 2, 3, 4, 5, 9})
      for (int64_t n : {1, 3, 4, 8, 15, 16, 17, 32, 47, 48})
        for (int64_t k : {1, 31, 32, 37, 96}) {
          const Exact exact(format, m, n, k);
          for (int way : {0, 1, 2})
            for (bool accumulate : {false, true}) {
              const int64_t ldc = n + 5;
              std::vector<float> c(static_cast<size_t>(m * ldc), untouched);
              if (!tile(exact.run(c.data(), ldc, accumulate), way)) continue;
              for (int64_t i = 0; i < m; ++i)
                for (int64_t j = 0; j < ldc; ++j)
                  ASSERT_EQ(static_cast<double>(c[static_cast<size_t>(i * ldc + j)]),
                            j >= n ? static_cast<double>(untouched)
                                   : exact.product(i, j) + (accumulate ? static_cast<double>(untouched) : 0))
                      << name_of(format) << " " << m << " x " << n << " x " << k << " at " << i << ", " << j << ", way "
                      << way;
            }
        }
}

TEST(IntegerTile, CutsChangeNoBit) {
  const auto tile = HWY_DYNAMIC_DISPATCH(RunTile);
  for (WeightFormat format : {WeightFormat::int8, WeightFormat::int4}) {
    Exact any(format, 11, 48, 200);
    for (float& v : any.x) v *= 0.37f;  // no longer exact in its scale
    std::vector<float> whole(static_cast<size_t>(any.m * any.n)), cut(whole.size());
    ASSERT_TRUE(tile(any.run(whole.data(), any.n, false), 0));
    for (int way : {0, 1, 2})
      for (int64_t rows : {1, 3, 4})
        for (int64_t columns : {16, 48})
          for (int64_t depth : {1, 3}) {
            bool ran = true;
            for (int64_t i = 0; i < any.m; i += rows)
              for (int64_t j = 0; j < any.n; j += columns)
                for (int64_t b = 0; b < any.panels.blocks(); b += depth) {
                  TileRun part = any.run(cut.data(), any.n, b > 0);
                  part.first_row = i, part.m = std::min(rows, any.m - i), part.first_column = j,
                  part.n = std::min(columns, any.n - j);
                  part.first_block = b, part.blocks = std::min(depth, any.panels.blocks() - b);
                  ran = tile(part, way);
                }
            if (!ran) continue;
            ASSERT_EQ(std::memcmp(whole.data(), cut.data(), whole.size() * sizeof(float)), 0)
                << rows << " x " << columns << " x " << depth << ", way " << way;
          }
  }
}

}  // namespace
}  // namespace statera::test
#endif
