// The fast products of matmul.md: tasks are blocks of the result; a tile (tile-inl.hpp) does the arithmetic.
#include "ops/matmul/matmul.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/matmul/matmul_cpu.cpp"
#include "core/simd.hpp"
#include "ops/matmul/tile-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

// One row by several whole panels, read side by side: memory serves a few streams faster than one, and one panel has too few sums for
// the latency of an addition.
constexpr int row_streams = tile_lanes == 16 ? 4 : tile_lanes == 8 ? 2 : 1;

template <int streams, bool accumulate>
HWY_NOINLINE void RowByPanels(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t panel_elements, float* HWY_RESTRICT c, int64_t k) {
  const TileTag d;
  constexpr int vectors = static_cast<int>(Panels::width / tile_lanes);
  hn::Vec<TileTag> acc[streams * vectors];
#pragma GCC unroll 12
  for (int v = 0; v < streams * vectors; ++v) acc[v] = accumulate ? hn::LoadU(d, c + v * tile_lanes) : hn::Zero(d);
  for (int64_t kk = 0; kk < k; ++kk, b += Panels::width) {
    const auto av = hn::Set(d, a[kk]);
#pragma GCC unroll 12
    for (int v = 0; v < streams * vectors; ++v)
      acc[v] = hn::MulAdd(av, hn::LoadU(d, b + v / vectors * panel_elements + v % vectors * tile_lanes), acc[v]);
  }
#pragma GCC unroll 12
  for (int v = 0; v < streams * vectors; ++v) hn::StoreU(acc[v], d, c + v * tile_lanes);
}

template <int streams, bool accumulate>
void RowProduct(const MatmulProduct<float>& p, int64_t row, int64_t first, int64_t end) {
  if constexpr (streams > 0) {
    for (; first + streams <= end; first += streams)
      RowByPanels<streams, accumulate>(p.a + row * p.lda, p.panels.panel(first), Panels::width * p.k, p.c + row * p.ldc + first * Panels::width, p.k);
    RowProduct<streams - 1, accumulate>(p, row, first, end);
  }
}

// C[m, columns of the panels first..last) (+)= A B, over blocks of k that leave room for A and a panel in L2.
void ProductBlock(const MatmulProduct<float>& p, int64_t row, int64_t rows, int64_t first, int64_t last) {
  constexpr int64_t depth = 384;
  if (rows == 1) {
    const int64_t whole = std::max(first, std::min(last, p.n / Panels::width));
    const auto row_product = p.accumulate ? RowProduct<row_streams, true> : RowProduct<row_streams, false>;
    row_product(p, row, first, whole);
    first = whole;
  }
  for (int64_t k = 0; k == 0 || k < p.k; k += depth)
    for (int64_t j = first; j < last; ++j) {
      const auto tile = p.accumulate || k > 0 ? Tile<true> : Tile<false>;
      const int64_t ldb = p.panels.stride(j);
      tile(p.a + row * p.lda + k, p.lda, 1, p.panels.panel(j) + k * ldb, ldb, p.c + row * p.ldc + j * Panels::width, p.ldc, rows,
           p.panels.columns(j), std::min(depth, p.k - k));
    }
}

// dW[out.., columns of the panels] += dy^T x for some rows of dy and the panels of the same rows of x.
void WeightGradBlock(const MatmulWeightGrad<float>& p, const Panels& x, int64_t row, int64_t out, int64_t outs, int64_t first,
                     int64_t last) {
  for (int64_t j = first; j < last; ++j)
    Tile<true>(p.dy + row * p.dy_stride + out, 1, p.dy_stride, x.panel(j), x.stride(j), p.dw + out * p.dw_stride + j * Panels::width,
               p.dw_stride, outs, x.columns(j), x.k);
}

void AddRows(const MatmulBiasGrad<float>& p, int64_t column, int64_t columns) {
  const float one = 1;
  Tile<true>(&one, 0, 0, p.dy + column, p.dy_stride, p.dbias + column, columns, 1, columns, p.rows);
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(ProductBlock);
HWY_EXPORT(WeightGradBlock);
HWY_EXPORT(AddRows);

int64_t blocks(int64_t n, int64_t size) { return (n + size - 1) / size; }

void product(const MatmulProduct<float>& p, Exec& exec) noexcept {
  const auto block = HWY_DYNAMIC_DISPATCH(ProductBlock);
  constexpr int64_t rows = 64, most = 4;
  // one row: few panels go into smaller tasks, for even shares, as far as these are worth a thread
  const int64_t count = p.panels.count(), worth = ThreadPool::worth_sharing / 2 / std::max<int64_t>(1, Panels::width * p.k);
  const int64_t panels = p.m > 1 ? most : std::clamp<int64_t>(std::max(worth, count / 8), 1, most), groups = blocks(count, panels);
  const auto part = [&](int64_t task, int) {
    const int64_t row = task / groups * rows, first = task % groups * panels;
    block(p, row, std::min(rows, p.m - row), first, std::min(count, first + panels));
  };
  exec.pool.run(blocks(p.m, rows) * groups, part, p.m * p.n * p.k);
}

void weight_grad(const MatmulWeightGrad<float>& p, Exec& exec) noexcept {
  const auto block = HWY_DYNAMIC_DISPATCH(WeightGradBlock);
  constexpr int64_t depth = 512, outs = 96, panels = 2;
  const ArenaScope scope(exec.scratch);
  float* memory = exec.scratch.allocate_array<float>(Panels::elements(p.in, std::min(depth, p.rows)));
  for (int64_t row = 0; row < p.rows; row += depth) {
    View part(const_cast<float*>(p.x) + row * p.x_stride, DType::f32, {std::min(depth, p.rows - row), p.in});
    part.stride = p.x_stride;
    const Panels x = Panels::pack(exec.pool, part, false, memory);
    const int64_t groups = blocks(x.count(), panels);
    exec.pool.run(blocks(p.out, outs) * groups, [&](int64_t task, int) {
      const int64_t out = task / groups * outs, first = task % groups * panels;
      block(p, x, row, out, std::min(outs, p.out - out), first, std::min(x.count(), first + panels));
    });
  }
}

void bias_grad(const MatmulBiasGrad<float>& p, Exec& exec) noexcept {
  const auto add = HWY_DYNAMIC_DISPATCH(AddRows);
  constexpr int64_t columns = 64;
  exec.pool.run(blocks(p.out, columns), [&](int64_t task, int) { add(p, task * columns, std::min(columns, p.out - task * columns)); });
}
}  // namespace

const MatmulKernels<float> matmul_cpu{"matmul_cpu", product, weight_grad, bias_grad};

}  // namespace statera
#endif
