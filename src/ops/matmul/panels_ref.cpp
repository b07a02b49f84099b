// Fills panels of floats. It moves memory, so it is reference and fast path. Pairs of bf16 are made in bf16_cpu.cpp.
#include <algorithm>

#include "ops/matmul/bf16.hpp"
#include "ops/matmul/panels.hpp"

namespace statera {

namespace {
// 64 rows of a panel are 12 KiB and stay in L1 while its columns are filled one by one.
constexpr int64_t rows_at_once = 64;

// Fills `rows` rows of a panel: panel[k, j] = matrix[k0 + k, j0 + j], or matrix[j0 + j, k0 + k] if `transpose`. Pads
// the columns up to `stride` with zeros.
void pack_block(const View& matrix, bool transpose, int64_t j0, int64_t columns, int64_t k0, int64_t rows,
                int64_t stride, float* panel) noexcept {
  const float* from =
      static_cast<const float*>(matrix.data) + (transpose ? j0 * matrix.stride + k0 : k0 * matrix.stride + j0);
  if (transpose) {
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t k = 0; k < rows; ++k) panel[k * stride + j] = from[j * matrix.stride + k];
  } else {
    for (int64_t k = 0; k < rows; ++k) std::copy_n(from + k * matrix.stride, columns, panel + k * stride);
  }
  for (int64_t k = 0; k < rows; ++k) std::fill_n(panel + k * stride + columns, stride - columns, 0.0f);
}
}  // namespace

Panels Panels::pack(ThreadPool& pool, const View& matrix, bool transpose, Precision precision, float* memory) noexcept {
  if (precision == Precision::bf16) return pack_pairs(pool, matrix, transpose, memory);
  Panels p{memory, matrix.shape[transpose ? 0 : 1], matrix.shape[transpose ? 1 : 0]};
  const int64_t parts = (p.k + rows_at_once - 1) / rows_at_once;
  pool.run(p.count() * parts, [&](int64_t task, int) {
    const int64_t j = task / parts, k0 = task % parts * rows_at_once;
    pack_block(matrix, transpose, j * width, p.columns(j), k0, std::min(rows_at_once, p.k - k0), p.stride(j),
               memory + j * width * p.k + k0 * p.stride(j));
  });
  return p;
}

}  // namespace statera
