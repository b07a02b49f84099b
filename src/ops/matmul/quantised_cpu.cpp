// The fast product of quantised.md. First all rows of x are quantised; then a task is a part of the result.
#include "core/isa.hpp"
#include "ops/matmul/quantised.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/matmul/quantised_cpu.cpp"
#include "core/simd.hpp"
#include "ops/matmul/integer_tile-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

// The arguments of a tile of C that begins at `row` and `panel` and sums from scale block b on.
template <class Dot>
IntegerTileArgs<Dot> ArgsAt(const QuantisedProduct<float>& p, const RowBlock<Dot>* x, int64_t row, int64_t panel,
                            int64_t b) {
  const QuantisedPanels& w = p.w;
  return {.x = x + row * w.blocks() + b,
          .ldx = w.blocks(),
          .w = w.panel(panel) + b * w.block_bytes(panel),
          .stride = w.stride(panel),
          .block_bytes = w.block_bytes(panel),
          .panel_bytes = w.panel(1) - w.panel(0),
          .c = p.y + row * p.y_stride + panel * Panels::width,
          .ldc = p.y_stride,
          .accumulate = p.accumulate || b > 0};
}

// One row of x reads several whole panels side by side: memory serves a few streams faster than one.
constexpr int dot_streams = HWY_TARGET == HWY_AVX3 ? 4 : HWY_TARGET == HWY_AVX2 ? 1 : 0;

template <class Dot, int bits, int streams>
void RowByPanels(const QuantisedProduct<float>& p, const RowBlock<Dot>* x, int64_t row, int64_t first, int64_t end) {
  if constexpr (streams > 0) {
    constexpr int vectors = streams * static_cast<int>(Panels::width / dot_lanes);
    for (; first + streams <= end; first += streams)
      IntegerTileBlock<Dot, bits, 1, vectors>(ArgsAt(p, x, row, first, 0), p.w.blocks());
    RowByPanels<Dot, bits, streams - 1>(p, x, row, first, end);
  }
}

// y (+)= x W^T for `rows` rows and the panels first .. last - 1.
template <class Dot, int bits>
void Block(const QuantisedProduct<float>& p, const RowBlock<Dot>* x, int64_t row, int64_t rows, int64_t first,
           int64_t last) {
  constexpr int64_t depth = 12;  // so many scale blocks of a panel stay in L1 while all rows are multiplied with them
  if (rows == 1 && dot_streams > 0) {
    const int64_t whole = std::max(first, std::min(last, p.w.n / Panels::width));
    RowByPanels<Dot, bits, dot_streams>(p, x, row, first, whole);
    first = whole;
  }
  for (int64_t b = 0; b < p.w.blocks(); b += depth)
    for (int64_t panel = first; panel < last; ++panel)
      IntegerTile<Dot, bits>(ArgsAt(p, x, row, panel, b), rows, p.w.columns(panel), std::min(depth, p.w.blocks() - b));
}

template <class Dot>
void QuantiseRows(const QuantisedProduct<float>& p, int64_t row, int64_t rows, void* memory) {
  auto* to = static_cast<RowBlock<Dot>*>(memory);
  for (int64_t i = row; i < row + rows; ++i)
    QuantiseRow<Dot>(p.x + i * p.x_stride, p.w.k, p.w.zero(), to + i * p.w.blocks());
}

template <class Dot>
void DotBlock(const QuantisedProduct<float>& p, const void* memory, int64_t row, int64_t rows, int64_t first,
              int64_t last) {
  const auto* x = static_cast<const RowBlock<Dot>*>(memory);
  if (p.w.format == WeightFormat::int8)
    Block<Dot, 8>(p, x, row, rows, first, last);
  else
    Block<Dot, 4>(p, x, row, rows, first, last);
}

// The size of a RowBlock for the way of multiplying that this CPU uses.
int64_t RowBlockBytes() {
#if HWY_TARGET == HWY_AVX3
  if (has_avx512_vnni()) return sizeof(RowBlock<VnniDot>);
#endif
  return sizeof(RowBlock<PlainDot>);
}

void Quantise(const QuantisedProduct<float>& p, int64_t row, int64_t rows, void* to) {
#if HWY_TARGET == HWY_AVX3
  if (has_avx512_vnni()) return QuantiseRows<VnniDot>(p, row, rows, to);
#endif
  QuantiseRows<PlainDot>(p, row, rows, to);
}

void QuantisedBlock(const QuantisedProduct<float>& p, const void* x, int64_t row, int64_t rows, int64_t first,
                    int64_t last) {
#if HWY_TARGET == HWY_AVX3
  if (has_avx512_vnni()) return DotBlock<VnniDot>(p, x, row, rows, first, last);
#endif
  DotBlock<PlainDot>(p, x, row, rows, first, last);
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(RowBlockBytes);
HWY_EXPORT(Quantise);
HWY_EXPORT(QuantisedBlock);

int64_t blocks(int64_t n, int64_t size) { return (n + size - 1) / size; }

void product(const QuantisedProduct<float>& p, Exec& exec) noexcept {
  const auto quantise = HWY_DYNAMIC_DISPATCH(Quantise);
  const auto block = HWY_DYNAMIC_DISPATCH(QuantisedBlock);
  const ArenaScope scope(exec.scratch);
  void* x = exec.scratch.allocate(static_cast<size_t>(p.rows * p.w.blocks() * HWY_DYNAMIC_DISPATCH(RowBlockBytes)()));
  constexpr int64_t some = 16;  // rows that a task quantises
  exec.pool.run(
      blocks(p.rows, some),
      [&](int64_t task, int) { quantise(p, task * some, std::min(some, p.rows - task * some), x); }, p.rows * p.w.k);

  constexpr int64_t rows = 64;
  const int64_t count = p.w.count(), panels = panels_per_task(p.rows, count, p.w.k, exec.pool),
                groups = blocks(count, panels);
  const auto part = [&](int64_t task, int) {
    const int64_t row = task / groups * rows, first = task % groups * panels;
    block(p, x, row, std::min(rows, p.rows - row), first, std::min(count, first + panels));
  };
  exec.pool.run(blocks(p.rows, rows) * groups, part, p.rows * p.w.n * p.w.k);
}
}  // namespace

const QuantisedKernels<float> quantised_cpu{.product = product};

}  // namespace statera
#endif
