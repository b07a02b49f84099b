// The loops of elementwise.hpp: reference and, except for the exponential, also the fast path.
#include <algorithm>
#include <cmath>

#include "core/plain_math.hpp"
#include "ops/elementwise/elementwise.hpp"

namespace statera {

namespace {
constexpr int64_t rows_per_task = 64;

// Calls row(a, b, y) for each row, with pointers to the row of each; b may be null. The threads share the rows.
template <class T, class Row>
void each_row(const ElementwiseArguments<T>& e, Exec& exec, const Row& row) {
  exec.pool.run((e.rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t n = task * rows_per_task; n < std::min(e.rows, (task + 1) * rows_per_task); ++n)
      row(e.a + n * e.a_stride, e.b ? e.b + n * e.b_stride : nullptr, e.y + n * e.y_stride);
  });
}

// y[i] = f(a[i], b[i])
template <class T, class F>
void combine(const ElementwiseArguments<T>& e, Exec& exec, F f) {
  each_row(e, exec, [f, columns = e.columns](const T* a, const T* b, T* y) {
    for (int64_t c = 0; c < columns; ++c) y[c] = f(a[c], b[c]);
  });
}

template <class T>
void add(const ElementwiseArguments<T>& e, Exec& exec) noexcept {
  if (e.factor_a == 1 && e.factor_b == 1)
    combine(e, exec, [](T u, T v) { return u + v; });
  else
    combine(e, exec, [fa = e.factor_a, fb = e.factor_b](T u, T v) { return fa * u + fb * v; });
}

template <class T>
void scaled(const ElementwiseArguments<T>& e, Exec& exec) noexcept {
  each_row(e, exec, [f = e.factor_a, columns = e.columns](const T* a, const T*, T* y) {
    for (int64_t c = 0; c < columns; ++c) y[c] = f * a[c];
  });
}

template <class T>
void product(const ElementwiseArguments<T>& e, Exec& exec) noexcept {
  combine(e, exec, [](T u, T v) { return u * v; });
}

// The mean of a row. In double, so that a nearly constant row keeps its digits when the mean is subtracted. The sum is
// sixteen partial sums in a fixed order, so that every instruction set gets the same bits.
template <class T>
T mean_of(const T* a, int64_t columns) {
  constexpr int64_t lanes = 16;
  double sums[lanes] = {};
  int64_t c = 0;
  for (; c + lanes <= columns; c += lanes)
    for (int64_t i = 0; i < lanes; ++i) sums[i] += static_cast<double>(a[c + i]);
  for (int64_t i = 0; c < columns; ++c, ++i) sums[i] += static_cast<double>(a[c]);
  double sum = 0;
  for (const double s : sums) sum += s;
  return static_cast<T>(sum / static_cast<double>(columns));
}

template <class T>
void centered(const ElementwiseArguments<T>& e, Exec& exec) noexcept {
  each_row(e, exec, [columns = e.columns](const T* a, const T*, T* y) {
    const T mean = mean_of(a, columns);
    for (int64_t c = 0; c < columns; ++c) y[c] = a[c] - mean;
  });
}

template <class T>
void neg_exp(const ElementwiseArguments<T>& e, Exec& exec) noexcept {
  each_row(e, exec, [columns = e.columns](const T* a, const T*, T* y) {
    for (int64_t c = 0; c < columns; ++c) y[c] = -plain::exp(a[c]);
  });
}
}  // namespace

const ElementwiseKernels<double> elementwise_ref_f64{.add = add<double>,
                                                     .scaled = scaled<double>,
                                                     .centered = centered<double>,
                                                     .neg_exp = neg_exp<double>,
                                                     .product = product<double>};
const ElementwiseKernels<float> elementwise_ref_f32{.add = add<float>,
                                                    .scaled = scaled<float>,
                                                    .centered = centered<float>,
                                                    .neg_exp = neg_exp<float>,
                                                    .product = product<float>};
const ElementwiseKernels<float> elementwise_cpu{.add = add<float>,
                                                .scaled = scaled<float>,
                                                .centered = centered<float>,
                                                .neg_exp = neg_exp_cpu,
                                                .product = product<float>};

}  // namespace statera
