// The loops of embedding.hpp: they move memory, so reference and fast path are one.
#include <algorithm>

#include "ops/embedding/embedding.hpp"

namespace statera {

namespace {
constexpr int64_t columns_per_task = 32;

template <class T>
void forward(const EmbeddingForward<T>& e, Exec&) noexcept {
  for (int64_t n = 0; n < e.rows; ++n) std::copy_n(e.table + e.ids[n] * e.table_stride, e.width, e.y + n * e.y_stride);
}

// A task sums its own columns over all positions, so the order of summation is that of the positions.
template <class T>
void backward(const EmbeddingBackward<T>& e, Exec& exec) noexcept {
  exec.pool.run((e.width + columns_per_task - 1) / columns_per_task, [&](int64_t task, int) {
    const int64_t begin = task * columns_per_task, count = std::min(columns_per_task, e.width - begin);
    for (int64_t r = 0; r < e.read_rows; ++r) std::fill_n(e.drows + r * e.width + begin, count, T{0});
    for (int64_t n = 0; n < e.rows; ++n) {
      const T* from = e.dy + n * e.dy_stride + begin;
      T* to = e.drows + e.read[n] * e.width + begin;
      for (int64_t c = 0; c < count; ++c) to[c] += from[c];
    }
  });
}
}  // namespace

const EmbeddingKernels<double> embedding_ref_f64{"embedding_ref", forward<double>, backward<double>};
const EmbeddingKernels<float> embedding_ref_f32{"embedding_ref", forward<float>, backward<float>};

}  // namespace statera
