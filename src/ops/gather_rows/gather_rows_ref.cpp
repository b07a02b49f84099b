// The loops of gather_rows.hpp. They move memory, so they are reference and fast path.
#include <algorithm>

#include "ops/gather_rows/gather_rows.hpp"

namespace statera {

namespace {
constexpr int64_t rows_per_task = 128, columns_per_task = 32;

// The row of a or b that row i of y copies; null for no_row, and for a gradient that nobody needs.
template <class T>
T* source(const GatherRows<T>& g, int64_t i) {
  const int32_t index = g.index[i];
  if (index == no_row) return nullptr;
  if (index >= 0) return g.a ? g.a + index * g.a_stride : nullptr;
  return g.b ? g.b + (-1 - static_cast<int64_t>(index)) * g.width : nullptr;
}

template <class T>
void forward(const GatherRows<T>& g, Exec& exec) noexcept {
  exec.pool.run((g.rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t i = task * rows_per_task; i < std::min(g.rows, (task + 1) * rows_per_task); ++i) {
      if (const T* row = source(g, i))
        std::copy_n(row, g.width, g.y + i * g.width);
      else
        std::fill_n(g.y + i * g.width, g.width, T{0});
    }
  });
}

// Each task has some columns and all rows, since a row may be copied more than once.
template <class T>
void backward(const GatherRows<T>& g, Exec& exec) noexcept {
  exec.pool.run((g.width + columns_per_task - 1) / columns_per_task, [&](int64_t task, int) {
    const int64_t begin = task * columns_per_task, count = std::min(g.width - begin, columns_per_task);
    for (int64_t n = 0; g.a && n < g.rows_a; ++n) std::fill_n(g.a + n * g.a_stride + begin, count, T{0});
    for (int64_t n = 0; g.b && n < g.rows_b; ++n) std::fill_n(g.b + n * g.width + begin, count, T{0});
    for (int64_t i = 0; i < g.rows; ++i)
      if (T* row = source(g, i))
        for (int64_t c = begin; c < begin + count; ++c) row[c] += g.y[i * g.width + c];
  });
}
}  // namespace

const GatherRowsKernels<double> gather_rows_ref_f64{.forward = forward<double>, .backward = backward<double>};
const GatherRowsKernels<float> gather_rows_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
