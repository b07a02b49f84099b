// The loops of embedding.hpp. They wait for memory, so they are reference and fast path.
#include <algorithm>

#include "ops/embedding/embedding.hpp"

namespace statera {

namespace {
constexpr int64_t columns_per_task = 32;

constexpr int64_t rows_per_task = 64, ahead = 4;

// The rows of a large table are not in cache, so each is prefetched a few positions (`ahead`) before it is read.
template <class T>
void forward(const EmbeddingForward<T>& e, Exec& exec) noexcept {
  const auto fetch = [&](int64_t n) {
    for (int64_t k = 0; k < e.per_row; ++k) {
      const T* row = e.table + e.ids[n * e.per_row + k] * e.table_stride;
      for (int64_t c = 0; c < e.width; c += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(row + c);
    }
  };
  exec.pool.run((e.rows + rows_per_task - 1) / rows_per_task,
                [&](int64_t task, int) {
                  const int64_t end = std::min(e.rows, (task + 1) * rows_per_task);
                  for (int64_t n = task * rows_per_task; n < std::min(end, task * rows_per_task + ahead); ++n) fetch(n);
                  for (int64_t n = task * rows_per_task; n < end; ++n) {
                    if (n + ahead < end) fetch(n + ahead);
                    const int32_t* ids = e.ids + n * e.per_row;
                    T* y = e.y + n * e.y_stride;
                    std::copy_n(e.table + ids[0] * e.table_stride, e.width, y);
                    for (int64_t k = 1; k < e.per_row; ++k) {
                      const T* row = e.table + ids[k] * e.table_stride;
                      for (int64_t c = 0; c < e.width; ++c) y[c] += row[c];
                    }
                  }
                },
                e.rows * e.per_row * e.width);
}

// Each task has some columns and adds the rows in the order of the positions.
template <class T>
void backward(const EmbeddingBackward<T>& e, Exec& exec) noexcept {
  exec.pool.run((e.width + columns_per_task - 1) / columns_per_task, [&](int64_t task, int) {
    const int64_t begin = task * columns_per_task, count = std::min(columns_per_task, e.width - begin);
    for (int64_t r = 0; r < e.read_rows; ++r) std::fill_n(e.drows + r * e.width + begin, count, T{0});
    for (int64_t n = 0; n < e.rows; ++n) {
      const T* from = e.dy + n * e.dy_stride + begin;
      for (int64_t k = 0; k < e.per_row; ++k) {
        T* to = e.drows + e.read[n * e.per_row + k] * e.width + begin;
        for (int64_t c = 0; c < count; ++c) to[c] += from[c];
      }
    }
  });
}
}  // namespace

const EmbeddingKernels<double> embedding_ref_f64{"embedding_ref", forward<double>, backward<double>};
const EmbeddingKernels<float> embedding_ref_f32{"embedding_ref", forward<float>, backward<float>};

}  // namespace statera
