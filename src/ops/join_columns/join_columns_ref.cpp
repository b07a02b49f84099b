// The loops of join_columns.hpp. They move memory, so they are reference and fast path.
#include <algorithm>

#include "ops/join_columns/join_columns.hpp"

namespace statera {

namespace {
constexpr int64_t rows_per_task = 128;

// move(row) for each row, in tasks of several.
template <class Move>
void each_row(int64_t rows, Exec& exec, const Move& move) {
  exec.pool.run((rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t n = task * rows_per_task; n < std::min(rows, (task + 1) * rows_per_task); ++n) move(n);
  });
}

template <class T>
void forward(const JoinColumns<T>& j, Exec& exec) noexcept {
  each_row(j.rows, exec, [&](int64_t n) {
    T* y = j.y + n * j.y_stride;
    std::copy_n(j.a + n * j.a_stride, j.a_columns, y);
    std::copy_n(j.b + n * j.b_stride, j.b_columns, y + j.a_columns);
  });
}

template <class T>
void backward(const JoinColumns<T>& j, Exec& exec) noexcept {
  each_row(j.rows, exec, [&](int64_t n) {
    const T* dy = j.y + n * j.y_stride;
    if (j.a) std::copy_n(dy, j.a_columns, j.a + n * j.a_stride);
    if (j.b) std::copy_n(dy + j.a_columns, j.b_columns, j.b + n * j.b_stride);
  });
}
}  // namespace

const JoinColumnsKernels<double> join_columns_ref_f64{.forward = forward<double>, .backward = backward<double>};
const JoinColumnsKernels<float> join_columns_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
