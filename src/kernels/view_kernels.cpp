#include "kernels/view_kernels.hpp"

#include <algorithm>
#include <cmath>

#include "core/check.hpp"
#include "kernels/kernels.hpp"

namespace statera {

namespace {
constexpr int64_t elements_per_task = 16384;

// Except for add_row, one plain loop is both the reference and the fast path.
template <class T>
struct ViewKernels {
  Kernel<void(const T* from, T* to, int64_t count) noexcept> add_row;
  Kernel<double(const View&) noexcept> sum_of;
  Kernel<double(const View&) noexcept> first_non_finite;
  Kernel<double(const View&) noexcept> number_in;
  Kernel<void(const View&, double) noexcept> set_number;
  void (*set_each)(const View&, FunctionRef<float(int64_t)>);  // not noexcept: the function may throw
  Kernel<void(const View& v, const View& target, double share) noexcept> move_towards;
  Kernel<double(const View&) noexcept> squared_norm;
  Kernel<double(const View& a, const View& b) noexcept> squared_distance;
};

template <class T>
T* row_of(const View& v, int64_t row) noexcept {
  return static_cast<T*>(v.data) + row * v.stride;
}

template <class T>
void add_row(const T* from, T* to, int64_t count) noexcept {
  for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

template <class T>
double sum_rows(const View& v) noexcept {
  double sum = 0;
  for (int64_t row = 0; row < v.rows(); ++row)
    for (int64_t col = 0; col < v.cols(); ++col) sum += static_cast<double>(row_of<T>(v, row)[col]);
  return sum;
}

template <class T>
double find_non_finite(const View& v) noexcept {
  for (int64_t row = 0; row < v.rows(); ++row)
    for (int64_t col = 0; col < v.cols(); ++col)
      if (!std::isfinite(row_of<T>(v, row)[col])) return static_cast<double>(row_of<T>(v, row)[col]);
  return 0;
}

template <class T>
double read_number(const View& v) noexcept {
  return static_cast<double>(*row_of<T>(v, 0));
}

template <class T>
void write_number(const View& v, double number) noexcept {
  *row_of<T>(v, 0) = static_cast<T>(number);
}

template <class T>
void write_each(const View& v, FunctionRef<float(int64_t)> value) {
  for (int64_t i = 0; i < v.elements(); ++i) row_of<T>(v, 0)[i] = static_cast<T>(value(i));
}

template <class T>
void move_rows(const View& v, const View& target, double share) noexcept {
  for (int64_t row = 0; row < v.rows(); ++row) {
    T* now = row_of<T>(v, row);
    const T* to = row_of<T>(target, row);
    for (int64_t col = 0; col < v.cols(); ++col) now[col] += static_cast<T>(share) * (to[col] - now[col]);
  }
}

template <class T>
double square_rows(const View& v) noexcept {
  double sum = 0;
  for (int64_t row = 0; row < v.rows(); ++row)
    for (int64_t col = 0; col < v.cols(); ++col) {
      const auto x = static_cast<double>(row_of<T>(v, row)[col]);
      sum += x * x;
    }
  return sum;
}

template <class T>
double compare_rows(const View& a, const View& b) noexcept {
  double sum = 0;
  for (int64_t row = 0; row < a.rows(); ++row)
    for (int64_t col = 0; col < a.cols(); ++col) {
      const double d = static_cast<double>(row_of<T>(a, row)[col]) - static_cast<double>(row_of<T>(b, row)[col]);
      sum += d * d;
    }
  return sum;
}

template <class T>
constexpr ViewKernels<T> loops{.add_row = add_row<T>,
                               .sum_of = sum_rows<T>,
                               .first_non_finite = find_non_finite<T>,
                               .number_in = read_number<T>,
                               .set_number = write_number<T>,
                               .set_each = write_each<T>,
                               .move_towards = move_rows<T>,
                               .squared_norm = square_rows<T>,
                               .squared_distance = compare_rows<T>};
constexpr ViewKernels<float> with_fast_add_row() {
  ViewKernels<float> kernels = loops<float>;
  kernels.add_row = add_row_cpu;
  return kernels;
}
constexpr ViewKernels<float> fast = with_fast_add_row();
constexpr Kernels<ViewKernels> view_kernels{
    .op = "view", .f64 = &loops<double>, .f32 = &loops<float>, .f32_cpu = &fast};

// Calls add(i) for each row i of a matrix [rows, cols]. Each task but the last has the same number of rows.
template <class Add>
void each_row(Exec& exec, int64_t rows, int64_t cols, const Add& add) {
  const int64_t size = std::max<int64_t>(1, elements_per_task / std::max<int64_t>(1, cols));
  exec.pool.run((rows + size - 1) / size, [&](int64_t task, int) {
    for (int64_t row = task * size; row < std::min(rows, (task + 1) * size); ++row) add(row);
  });
}

// Calls f with the kernels for the element type of v. For the plain loops, fast and reference are the same.
template <class F>
decltype(auto) with_loops(const View& v, F&& f) {
  return view_kernels(KernelChoice::fast, v.dtype, [&](auto, const auto& kernels) { return f(kernels); });
}

void require_alike(const char* kernel, const View& from, const View& to) {
  require(from.shape == to.shape && from.dtype == to.dtype, ErrorCode::shape, "[", kernel, "] ", from.shape, " ",
          name_of(from.dtype), " to ", to.shape, " ", name_of(to.dtype));
}
}  // namespace

void add_to(Exec& exec, const View& from, const View& to) {
  require_alike("add_to", from, to);
  view_kernels(exec, to.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    if (from.dense() && to.dense()) {  // all elements are one long row, which is cut into parts
      const int64_t count = to.elements();
      each_row(exec, (count + elements_per_task - 1) / elements_per_task, elements_per_task, [&](int64_t part) {
        const int64_t begin = part * elements_per_task;
        kernels.add_row(row_of<T>(from, 0) + begin, row_of<T>(to, 0) + begin,
                        std::min(elements_per_task, count - begin));
      });
      return;
    }
    each_row(exec, to.rows(), to.cols(),
             [&](int64_t row) { kernels.add_row(row_of<T>(from, row), row_of<T>(to, row), to.cols()); });
  });
}

void add_to_rows(Exec& exec, const View& from, std::span<const int32_t> rows, const View& to) {
  require(from.shape == Shape({static_cast<int64_t>(rows.size()), to.cols()}) && from.dtype == to.dtype,
          ErrorCode::shape, "[add_to_rows] ", from.shape, " to ", rows.size(), " rows of ", to.shape);
  view_kernels(exec, to.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    each_row(exec, from.rows(), to.cols(), [&](int64_t row) {
      kernels.add_row(row_of<T>(from, row), row_of<T>(to, rows[static_cast<size_t>(row)]), to.cols());
    });
  });
}

double sum_of(const View& v) {
  return with_loops(v, [&](const auto& kernels) { return kernels.sum_of(v); });
}

double first_non_finite(const View& v) {
  if (v.dtype != DType::f32 && v.dtype != DType::f64) return 0;  // whole numbers are finite
  return with_loops(v, [&](const auto& kernels) { return kernels.first_non_finite(v); });
}

double number_in(const View& v) {
  require(v.elements() == 1, ErrorCode::shape, "[view] one number of ", v.shape);
  return with_loops(v, [&](const auto& kernels) { return kernels.number_in(v); });
}

void set_number(const View& v, double number) {
  require(v.elements() == 1, ErrorCode::shape, "[view] one number into ", v.shape);
  with_loops(v, [&](const auto& kernels) { kernels.set_number(v, number); });
}

void set_each(const View& v, FunctionRef<float(int64_t)> value) {
  require(v.dense(), ErrorCode::shape, "[view] set_each needs a dense View, got ", v.shape);
  with_loops(v, [&](const auto& kernels) { kernels.set_each(v, value); });
}

void move_towards(const View& v, const View& target, double share) {
  require_alike("move_towards", v, target);
  with_loops(v, [&](const auto& kernels) { kernels.move_towards(v, target, share); });
}

double squared_norm(const View& v) {
  return with_loops(v, [&](const auto& kernels) { return kernels.squared_norm(v); });
}

double squared_distance(const View& a, const View& b) {
  require_alike("squared_distance", a, b);
  return with_loops(a, [&](const auto& kernels) { return kernels.squared_distance(a, b); });
}

}  // namespace statera
