// Panels: the form in which the fast product reads a matrix.
#pragma once
#include <algorithm>
#include <cstdint>

#include "core/thread_pool.hpp"
#include "statera/device.hpp"
#include "statera/tensor.hpp"

namespace statera {

// A matrix B [k, n], cut into panels of 48 columns. Each panel is dense, row after row. 48 columns are three AVX-512
// registers; the width is the same for all instruction sets. The last panel is as wide as its columns, rounded up to a
// multiple of 16 with zeros. Borrows the memory.
struct Panels {
  static constexpr int64_t width = 48;
  const float* data = nullptr;
  int64_t n = 0, k = 0;  // k: rows of a panel; in bf16 such a row is two rows of B, in pairs (bf16.hpp)

  int64_t count() const { return (n + width - 1) / width; }
  int64_t columns(int64_t p) const { return std::min(width, n - p * width); }
  int64_t stride(int64_t p) const { return (columns(p) + 15) / 16 * 16; }  // floats from row to row of panel p
  const float* panel(int64_t p) const { return data + p * width * k; }

  static int64_t rows(int64_t k, Precision precision) { return precision == Precision::bf16 ? (k + 1) / 2 : k; }
  static int64_t elements(int64_t n, int64_t rows) { return (n + 15) / 16 * 16 * rows; }
  // Fills `memory`, elements(n, rows(k, precision)) floats, and returns the panels. B is `matrix` or its transpose.
  static Panels pack(ThreadPool&, const View& matrix, bool transpose, Precision, float* memory) noexcept;
};

// How many panels a task of a product has. With more than one row: four. With one row: as many as give
// ThreadPool::shares() tasks, but enough that a task is worth a thread.
inline int64_t panels_per_task(int64_t rows, int64_t panels, int64_t k, const ThreadPool& pool) {
  if (rows > 1) return 4;
  const int64_t worth = ThreadPool::worth_sharing / 2 / std::max<int64_t>(1, Panels::width * k);
  return std::max({int64_t{1}, worth, (panels + pool.shares() - 1) / pool.shares()});
}

}  // namespace statera
