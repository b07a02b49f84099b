// The loops of embedding.hpp. They wait for memory, so they are reference and fast path.
#include <algorithm>

#include "core/fetch.hpp"
#include "ops/embedding/embedding.hpp"

namespace statera {

namespace {
constexpr int64_t columns_per_task = 32;

constexpr int64_t rows_per_task = 64, ahead = 4;

// Calls read(n) for n = 0 .. rows - 1. The rows of a large table are not in cache, so each is fetched a few positions
// (`ahead`) before it is read: fetch_row(id) prefetches one.
template <class Fetch, class ReadRows>
void each_row(Exec& exec, const int32_t* ids, int64_t rows, int64_t per_row, int64_t width, const Fetch& fetch_row,
              const ReadRows& read) {
  const auto fetch_all = [&](int64_t n) {
    for (int64_t k = 0; k < per_row; ++k) fetch_row(ids[n * per_row + k]);
  };
  exec.pool.run((rows + rows_per_task - 1) / rows_per_task,
                [&](int64_t task, int) {
                  const int64_t begin = task * rows_per_task, end = std::min(rows, begin + rows_per_task);
                  for (int64_t n = begin; n < std::min(end, begin + ahead); ++n) fetch_all(n);
                  for (int64_t n = begin; n < end; ++n) {
                    if (n + ahead < end) fetch_all(n + ahead);
                    read(n);
                  }
                },
                rows * per_row * width);
}

template <class T>
void forward(const EmbeddingForward<T>& e, Exec& exec) noexcept {
  const auto row = [&](int64_t id) { return e.table + id * e.table_stride; };
  each_row(
      exec, e.ids, e.rows, e.per_row, e.width, [&](int64_t id) { fetch(row(id), e.width); },
      [&](int64_t n) {
        const int32_t* ids = e.ids + n * e.per_row;
        T* y = e.y + n * e.y_stride;
        std::copy_n(row(ids[0]), e.width, y);
        for (int64_t k = 1; k < e.per_row; ++k) {
          const T* from = row(ids[k]);
          for (int64_t c = 0; c < e.width; ++c) y[c] += from[c];
        }
      });
}

// y (+)= the row of this id. An element is a whole number below 2^8 times its scale: rounded once in float.
void add_row(const EmbeddingQuantised& e, int64_t id, bool first, float* y) {
  const View& all_scales = e.table.scales;
  const float* scales = all_scales.as<float>() + id * all_scales.cols();
  for (int64_t c = 0; c < e.width; c += quantised_block, ++scales, y += quantised_block) {
    const int64_t count = std::min(quantised_block, e.width - c);
    int8_t q[quantised_block];
    read_block(e.table, id, c, count, q);
    const float scale = *scales;
    if (first)
      for (int64_t i = 0; i < count; ++i) y[i] = static_cast<float>(q[i]) * scale;
    else
      for (int64_t i = 0; i < count; ++i) y[i] += static_cast<float>(q[i]) * scale;
  }
}

void quantised(const EmbeddingQuantised& e, Exec& exec) noexcept {
  const View &values = e.table.values, &scales = e.table.scales;
  const auto* bytes = static_cast<const uint8_t*>(values.data);
  each_row(
      exec, e.ids, e.rows, e.per_row, e.width,
      [&](int64_t id) {
        fetch(bytes + id * values.cols(), values.cols());
        fetch(scales.as<float>() + id * scales.cols(), scales.cols());
      },
      [&](int64_t n) {
        for (int64_t k = 0; k < e.per_row; ++k) add_row(e, e.ids[n * e.per_row + k], k == 0, e.y + n * e.y_stride);
      });
}

// Each task has some columns and adds the rows in the order of the positions. Where rows are whole cache lines, so are
// these columns; fetching one more line for all other rows cost more than it gained.
template <class T>
void backward(const EmbeddingBackward<T>& e, Exec& exec) noexcept {
  exec.pool.run((e.width + columns_per_task - 1) / columns_per_task, [&](int64_t task, int) {
    const int64_t begin = task * columns_per_task, count = std::min(columns_per_task, e.width - begin);
    for (int64_t r = 0; r < e.read_rows; ++r) std::fill_n(e.drows + r * e.width + begin, count, T{0});
    const auto to_row = [&](int64_t n, int64_t k) { return e.drows + e.read[n * e.per_row + k] * e.width + begin; };
    for (int64_t n = 0; n < e.rows; ++n) {
      for (int64_t k = 0; n + ahead < e.rows && k < e.per_row; ++k) fetch_from_line(to_row(n + ahead, k), count);
      const T* from = e.dy + n * e.dy_stride + begin;
      for (int64_t k = 0; k < e.per_row; ++k) {
        T* to = to_row(n, k);
        for (int64_t c = 0; c < count; ++c) to[c] += from[c];
      }
    }
  });
}
}  // namespace

const EmbeddingKernels<double> embedding_ref_f64{
    .forward = forward<double>, .quantised = nullptr, .backward = backward<double>};
const EmbeddingKernels<float> embedding_ref_f32{
    .forward = forward<float>, .quantised = quantised, .backward = backward<float>};

}  // namespace statera
