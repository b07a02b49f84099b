// The fast products of matmul.md. A task is a part of the result; the tile (kernels/tile-inl.hpp) does the arithmetic.
#include "core/isa.hpp"
#include "ops/matmul/bf16.hpp"
#include "ops/matmul/matmul.hpp"

#ifndef STATERA_MATMUL_CPU  // Highway compiles this file once per target
#define STATERA_MATMUL_CPU
namespace statera {
// Some rows of dy and x (x as panels), and a part of dW: the rows out .. out + outs - 1 and the columns of the panels
// first .. last - 1.
struct WeightGradPart {
  const float* dy;
  int64_t dy_stride;
  Panels x;
  int64_t out, outs, first, last;
  bool add;  // add to dW, since these rows are not the first
};
}  // namespace statera
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/matmul/matmul_cpu.cpp"
#include "core/simd.hpp"
#include "kernels/tile-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

// One row of A reads several panels side by side: memory serves a few streams faster than one, and one panel alone has
// too few sums to hide the latency of an addition.
constexpr int row_streams = tile_lanes == 16 ? 4 : tile_lanes == 8 ? 2 : 1;

struct RowArgs {
  const float* a;
  const float* b;  // the first panel
  int64_t panel_elements;
  float* c;
  int64_t k;
  int64_t rest, stride;  // of a narrower panel after the whole ones: its columns, and floats from row to row
};

// One row times `streams` whole panels and a narrower one of `tail` vectors; tail 0: there is none.
template <class Arithmetic, int streams, int tail, bool accumulate>
HWY_NOINLINE void RowByPanels(const RowArgs& args) {
  const RowArgs t = args;  // for the compiler: the stores below cannot change a local copy
  const TileTag d;
  constexpr int vectors = static_cast<int>(Panels::width / tile_lanes), whole = streams * vectors;
  const auto mask = hn::FirstN(d, static_cast<size_t>(t.rest - (tail - 1) * tile_lanes));
  const auto load = [&](int v) HWY_ATTR {
    const float* c = t.c + v * tile_lanes;
    return tail > 0 && v == whole + tail - 1 ? LoadPart(d, mask, c) : hn::LoadU(d, c);
  };
  hn::Vec<TileTag> acc[whole + tail];
#pragma GCC unroll 24
  for (int v = 0; v < whole + tail; ++v) acc[v] = accumulate ? load(v) : hn::Zero(d);
  const float *b = t.b, *narrow = t.b + streams * t.panel_elements;
  for (int64_t kk = 0; kk < t.k; ++kk, b += Panels::width, narrow += t.stride) {
    const auto av = hn::Set(d, t.a[kk]);
#pragma GCC unroll 24
    for (int v = 0; v < whole; ++v)
      acc[v] = Arithmetic::add(acc[v], av, hn::LoadU(d, b + v / vectors * t.panel_elements + v % vectors * tile_lanes));
#pragma GCC unroll 12
    for (int v = 0; v < tail; ++v)
      acc[whole + v] = Arithmetic::add(acc[whole + v], av, hn::LoadU(d, narrow + v * tile_lanes));
  }
#pragma GCC unroll 24
  for (int v = 0; v < whole; ++v) hn::StoreU(acc[v], d, t.c + v * tile_lanes);
#pragma GCC unroll 12
  for (int v = 0; v < tail; ++v) {
    float* c = t.c + (whole + v) * tile_lanes;
    if (v == tail - 1)
      StorePart(acc[whole + v], d, mask, c);
    else
      hn::StoreU(acc[whole + v], d, c);
  }
}

// One row times `count` whole panels: as many at a time as possible, at most `streams`. Advances t.
template <class Arithmetic, int streams, bool accumulate>
void WholePanels(RowArgs& t, int64_t count) {
  if constexpr (streams > 0) {
    for (; count >= streams; count -= streams, t.b += streams * t.panel_elements, t.c += streams * Panels::width)
      RowByPanels<Arithmetic, streams, 0, accumulate>(t);
    WholePanels<Arithmetic, streams - 1, accumulate>(t, count);
  }
}

// One row times the last whole panel (if `whole`) and the narrower one after it, of `wanted` vectors. They are taken
// together because each alone would wait for its own sums.
template <class Arithmetic, int tail, bool accumulate>
void LastPanels(const RowArgs& t, bool whole, int64_t wanted) {
  if constexpr (tail > 0) {
    if (wanted < tail)
      LastPanels<Arithmetic, tail - 1, accumulate>(t, whole, wanted);
    else if (whole)
      RowByPanels<Arithmetic, 1, tail, accumulate>(t);
    else
      RowByPanels<Arithmetic, 0, tail, accumulate>(t);
  }
}

// One row times the panels first .. end - 1.
template <class Arithmetic, bool accumulate>
void RowProduct(const MatmulProduct<float>& p, int64_t row, int64_t first, int64_t end) {
  constexpr int most = static_cast<int>(Panels::width / tile_lanes);
  const int64_t whole = std::min(end, p.n / Panels::width) - first,
                rest = end > first + whole ? p.panels.columns(end - 1) : 0;
  const bool joined = rest > 0 && whole > 0;
  RowArgs t{p.a + row * p.lda,
            p.panels.panel(first),
            Panels::width * p.k,
            p.c + row * p.ldc + first * Panels::width,
            p.k,
            rest,
            rest > 0 ? p.panels.stride(end - 1) : 0};
  WholePanels<Arithmetic, row_streams, accumulate>(t, joined ? whole - 1 : whole);
  if (rest > 0) LastPanels<Arithmetic, most, accumulate>(t, joined, (rest + tile_lanes - 1) / tile_lanes);
}

// C (+)= A B for `rows` rows and the panels first .. last - 1. The sum is taken in parts of k, so that the part of A
// and of a panel stay in cache (matmul.md).
template <class Arithmetic>
void ProductBlock(const MatmulProduct<float>& p, int64_t row, int64_t rows, int64_t first, int64_t last) {
  constexpr int64_t depth = 384;
  if (rows == 1)
    return (p.accumulate ? RowProduct<Arithmetic, true> : RowProduct<Arithmetic, false>)(p, row, first, last);
  for (int64_t k = 0; k == 0 || k < p.k; k += depth)
    for (int64_t j = first; j < last; ++j) {
      const auto tile = p.accumulate || k > 0 ? Tile<true, Arithmetic> : Tile<false, Arithmetic>;
      const auto part = [&](int64_t panel) { return p.panels.panel(panel) + k * p.panels.stride(panel); };
      // Each weight is read only once, so the next panel is not in cache: fetch it.
      const bool once = rows == p.m && j + 1 < p.panels.count();
      tile(p.a + row * p.lda + k, p.lda, 1, part(j), p.panels.stride(j), p.c + row * p.ldc + j * Panels::width, p.ldc,
           rows, p.panels.columns(j), std::min(depth, p.k - k), once ? part(j + 1) : nullptr);
    }
}

template <class Arithmetic>
void WeightGradBlock(const MatmulWeightGrad<float>& p, const WeightGradPart& of) {
  const auto& [dy, dy_stride, x, out, outs, first, last, add] = of;
  const auto tile = add ? Tile<true, Arithmetic> : Tile<false, Arithmetic>;
  for (int64_t j = first; j < last; ++j)
    tile(dy + out, 1, dy_stride, x.panel(j), x.stride(j), p.dw + out * p.dw_stride + j * Panels::width, p.dw_stride,
         outs, x.columns(j), x.k, nullptr);
}

void ProductOfFloats(const MatmulProduct<float>& p, int64_t row, int64_t rows, int64_t first, int64_t last) {
  ProductBlock<Floats>(p, row, rows, first, last);
}
void ProductUnfused(const MatmulProduct<float>& p, int64_t row, int64_t rows, int64_t first, int64_t last) {
  ProductBlock<Unfused>(p, row, rows, first, last);
}
void ProductOfPairs(const MatmulProduct<float>& p, int64_t row, int64_t rows, int64_t first, int64_t last) {
  (has_avx512_bf16() ? ProductBlock<DotPairs> : ProductBlock<SplitPairs>)(p, row, rows, first, last);
}
void WeightGradOfFloats(const MatmulWeightGrad<float>& p, const WeightGradPart& of) { WeightGradBlock<Floats>(p, of); }
void WeightGradUnfused(const MatmulWeightGrad<float>& p, const WeightGradPart& of) { WeightGradBlock<Unfused>(p, of); }
void WeightGradOfPairs(const MatmulWeightGrad<float>& p, const WeightGradPart& of) {
  (has_avx512_bf16() ? WeightGradBlock<DotPairs> : WeightGradBlock<SplitPairs>)(p, of);
}

// The sum of the rows of dy, as a product with ones.
void SumRows(const MatmulBiasGrad<float>& p, int64_t column, int64_t columns) {
  const float one = 1;
  Tile<false>(&one, 0, 0, p.dy + column, p.dy_stride, p.dbias + column, columns, 1, columns, p.rows);
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(ProductOfFloats);
HWY_EXPORT(ProductUnfused);
HWY_EXPORT(ProductOfPairs);
HWY_EXPORT(WeightGradOfFloats);
HWY_EXPORT(WeightGradUnfused);
HWY_EXPORT(WeightGradOfPairs);
HWY_EXPORT(SumRows);

int64_t blocks(int64_t n, int64_t size) { return (n + size - 1) / size; }

// Cuts the result into tasks of 64 rows and some panels, and calls block(p, row, rows, first panel, end) for each.
template <class Block>
void product_by(Block block, const MatmulProduct<float>& p, Exec& exec) noexcept {
  constexpr int64_t rows = 64;
  const int64_t count = p.panels.count(), panels = panels_per_task(p.m, count, p.k, exec.pool),
                groups = blocks(count, panels);
  const auto part = [&](int64_t task, int) {
    const int64_t row = task / groups * rows, first = task % groups * panels;
    block(p, row, std::min(rows, p.m - row), first, std::min(count, first + panels));
  };
  exec.pool.run(blocks(p.m, rows) * groups, part, p.m * p.n * p.k);
}

void product(const MatmulProduct<float>& p, Exec& exec) noexcept {
  product_by(HWY_DYNAMIC_DISPATCH(ProductOfFloats), p, exec);
}

void product_unfused(const MatmulProduct<float>& p, Exec& exec) noexcept {
  product_by(HWY_DYNAMIC_DISPATCH(ProductUnfused), p, exec);
}

void product_bf16(const MatmulProduct<float>& p, Exec& exec) noexcept {
  const ArenaScope scope(exec.scratch);
  float* pairs = exec.scratch.allocate_array<float>(p.m * bf16_pairs(p.k));
  pair_columns(exec.pool, p.a, p.lda, p.m, p.k, pairs);
  MatmulProduct<float> of_pairs = p;
  of_pairs.a = pairs;
  of_pairs.lda = of_pairs.k = bf16_pairs(p.k);
  product_by(HWY_DYNAMIC_DISPATCH(ProductOfPairs), of_pairs, exec);
}

// Sums over the rows in parts of 512: packs x into panels, then computes parts of dW in parallel.
template <class Block>
void weight_grad_by(Block block, Precision precision, const MatmulWeightGrad<float>& p, Exec& exec) noexcept {
  constexpr int64_t most = 512, outs = 96, panels = 2;
  const bool pairs = precision == Precision::bf16;
  const int64_t depth = std::min(most, p.rows), summed = Panels::rows(depth, precision);
  const ArenaScope scope(exec.scratch);
  float* memory = exec.scratch.allocate_array<float>(Panels::elements(p.in, summed));
  float* dy_pairs = pairs ? exec.scratch.allocate_array<float>(summed * p.out) : nullptr;
  if (p.rows == 0)
    for (int64_t o = 0; o < p.out; ++o) std::fill_n(p.dw + o * p.dw_stride, p.in, 0.0f);
  for (int64_t row = 0; row < p.rows; row += depth) {
    const int64_t rows = std::min(depth, p.rows - row);
    View part(const_cast<float*>(p.x) + row * p.x_stride, DType::f32, {rows, p.in});
    part.stride = p.x_stride;
    const Panels x = Panels::pack(exec.pool, part, false, precision, memory);
    const float* dy = p.dy + row * p.dy_stride;
    if (pairs) pair_rows(exec.pool, dy, p.dy_stride, rows, p.out, dy_pairs);
    const int64_t groups = blocks(x.count(), panels);
    exec.pool.run(blocks(p.out, outs) * groups, [&](int64_t task, int) {
      const int64_t out = task / groups * outs, first = task % groups * panels;
      block(p, {.dy = pairs ? dy_pairs : dy,
                .dy_stride = pairs ? p.out : p.dy_stride,
                .x = x,
                .out = out,
                .outs = std::min(outs, p.out - out),
                .first = first,
                .last = std::min(x.count(), first + panels),
                .add = row > 0});
    });
  }
}

void weight_grad(const MatmulWeightGrad<float>& p, Exec& exec) noexcept {
  weight_grad_by(HWY_DYNAMIC_DISPATCH(WeightGradOfFloats), Precision::fp32, p, exec);
}
void weight_grad_unfused(const MatmulWeightGrad<float>& p, Exec& exec) noexcept {
  weight_grad_by(HWY_DYNAMIC_DISPATCH(WeightGradUnfused), Precision::fp32, p, exec);
}
void weight_grad_bf16(const MatmulWeightGrad<float>& p, Exec& exec) noexcept {
  weight_grad_by(HWY_DYNAMIC_DISPATCH(WeightGradOfPairs), Precision::bf16, p, exec);
}

void bias_grad(const MatmulBiasGrad<float>& p, Exec& exec) noexcept {
  const auto add = HWY_DYNAMIC_DISPATCH(SumRows);
  constexpr int64_t columns = 64;
  exec.pool.run(blocks(p.out, columns),
                [&](int64_t task, int) { add(p, task * columns, std::min(columns, p.out - task * columns)); });
}
}  // namespace

const MatmulKernels<float> matmul_cpu{
    .set_rows = matmul_set_rows, .product = product, .weight_grad = weight_grad, .bias_grad = bias_grad};
// A sum of products with 1 has the same bits with and without fused operations.
const MatmulKernels<float> matmul_portable{.set_rows = matmul_set_rows,
                                           .product = product_unfused,
                                           .weight_grad = weight_grad_unfused,
                                           .bias_grad = bias_grad};
const MatmulKernels<float> matmul_bf16_cpu{
    .set_rows = matmul_set_rows, .product = product_bf16, .weight_grad = weight_grad_bf16, .bias_grad = bias_grad};

}  // namespace statera
#endif
