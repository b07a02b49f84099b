// Rounds and arranges pairs for bf16.hpp, with the same bits on every instruction set.
#include "core/isa.hpp"
#include "ops/matmul/bf16.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/matmul/bf16_cpu.cpp"
#include "core/simd.hpp"
#include "core/transpose-inl.hpp"
#include "ops/matmul/bf16-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

inline float PairOf(float first, float second) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(round_to_bf16(first)) >> 16 |
                              std::bit_cast<uint32_t>(round_to_bf16(second)));
}

template <class Rounding>
void PairColumnsBy(const float* HWY_RESTRICT from, int64_t columns, float* HWY_RESTRICT to) {
  const LanesTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t p = 0;
  for (; 2 * (p + lanes) <= columns; p += lanes) hn::StoreU(Rounding::neighbours(from + 2 * p), d, to + p);
  for (; p < bf16_pairs(columns); ++p) to[p] = PairOf(from[2 * p], 2 * p + 1 < columns ? from[2 * p + 1] : 0.0f);
}

// Pairs of two rows; if `second` is null, it is a row of zeros.
template <class Rounding>
void PairRowsBy(const float* HWY_RESTRICT first, const float* HWY_RESTRICT second, int64_t columns,
                float* HWY_RESTRICT to) {
  const LanesTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= columns; c += lanes)
    hn::StoreU(Rounding::pair(hn::LoadU(d, first + c), second ? hn::LoadU(d, second + c) : hn::Zero(d)), d, to + c);
  for (; c < columns; ++c) to[c] = PairOf(first[c], second ? second[c] : 0.0f);
}

void PairColumns(const float* from, int64_t columns, float* to) {
  (has_avx512_bf16() ? PairColumnsBy<ByTheCpu> : PairColumnsBy<InSteps>)(from, columns, to);
}
void PairRows(const float* first, const float* second, int64_t columns, float* to) {
  (has_avx512_bf16() ? PairRowsBy<ByTheCpu> : PairRowsBy<InSteps>)(first, second, columns, to);
}

// Fills the rows first .. first + pairs - 1 of panel j of `p`; at most Panels::width rows.
void PackBlock(const View& matrix, bool transpose, const Panels& p, int64_t j, int64_t first, int64_t pairs,
               float* HWY_RESTRICT rows) {
  const int64_t columns = p.columns(j), stride = p.stride(j), k = 2 * first, left = matrix.shape[transpose ? 1 : 0] - k;
  if (transpose) {  // B[k, n] = matrix[n, k]
    const float* from = static_cast<const float*>(matrix.data) + j * Panels::width * matrix.stride + k;
    float block[Panels::width * Panels::width];
    for (int64_t n = 0; n < columns; ++n)
      PairColumns(from + n * matrix.stride, std::min(2 * pairs, left), block + n * pairs);
    Transpose(block, pairs, columns, pairs, rows, stride);
  } else {
    const float* from = static_cast<const float*>(matrix.data) + k * matrix.stride + j * Panels::width;
    for (int64_t r = 0; r < pairs; ++r, from += 2 * matrix.stride)
      PairRows(from, 2 * r + 1 < left ? from + matrix.stride : nullptr, columns, rows + r * stride);
  }
  for (int64_t r = 0; r < pairs; ++r) std::fill_n(rows + r * stride + columns, stride - columns, 0.0f);
}
}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(PairColumns);
HWY_EXPORT(PairRows);
HWY_EXPORT(PackBlock);

constexpr int64_t rows_a_task = 16;
int64_t tasks(int64_t rows) { return (rows + rows_a_task - 1) / rows_a_task; }
}  // namespace

void pair_columns(ThreadPool& pool, const float* from, int64_t stride, int64_t rows, int64_t columns,
                  float* to) noexcept {
  const auto pair = HWY_DYNAMIC_DISPATCH(PairColumns);
  pool.run(
      tasks(rows),
      [&](int64_t task, int) {
        for (int64_t r = task * rows_a_task; r < std::min(rows, (task + 1) * rows_a_task); ++r)
          pair(from + r * stride, columns, to + r * bf16_pairs(columns));
      },
      rows * columns);
}

void pair_rows(ThreadPool& pool, const float* from, int64_t stride, int64_t rows, int64_t columns, float* to) noexcept {
  const auto pair = HWY_DYNAMIC_DISPATCH(PairRows);
  pool.run(
      tasks(bf16_pairs(rows)),
      [&](int64_t task, int) {
        for (int64_t p = task * rows_a_task; p < std::min(bf16_pairs(rows), (task + 1) * rows_a_task); ++p) {
          const float* row = from + 2 * p * stride;
          pair(row, 2 * p + 1 < rows ? row + stride : nullptr, columns, to + p * columns);
        }
      },
      rows * columns);
}

Panels pack_pairs(ThreadPool& pool, const View& matrix, bool transpose, float* memory) noexcept {
  const int64_t k = matrix.shape[transpose ? 1 : 0];
  const Panels p{memory, matrix.shape[transpose ? 0 : 1], bf16_pairs(k)};
  const auto pack = HWY_DYNAMIC_DISPATCH(PackBlock);
  constexpr int64_t most = Panels::width;
  const int64_t blocks = (p.k + most - 1) / most;
  pool.run(
      p.count() * blocks,
      [&](int64_t task, int) {
        const int64_t j = task / blocks, first = task % blocks * most;
        pack(matrix, transpose, p, j, first, std::min(most, p.k - first),
             memory + j * Panels::width * p.k + first * p.stride(j));
      },
      p.n * k);
  return p;
}

}  // namespace statera
#endif
