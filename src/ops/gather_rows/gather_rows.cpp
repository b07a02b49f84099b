#include "ops/gather_rows/gather_rows.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "core/exec.hpp"
#include "ops/kernels.hpp"

namespace statera {

namespace {
constexpr int64_t rows_per_task = 128, columns_per_task = 32;

// The row of a or b that row i of y takes; null for no_row, and where nobody needs the gradient.
template <class T>
T* source(const View& a, const View& b, int32_t index, int64_t width) {
  if (index == no_row) return nullptr;
  const View& from = index >= 0 ? a : b;
  if (from.empty()) return nullptr;
  return index >= 0 ? from.as<T>() + index * a.stride : from.as<T>() + (-1 - static_cast<int64_t>(index)) * width;
}
}  // namespace

Var gather_rows(Tape& tape, Var a, Var b, std::span<const int32_t> index, const Shape& shape) {
  const View from_a = tape.value(a), from_b = b ? tape.value(b) : View();
  const int64_t width = from_a.cols(), rows_b = from_b.empty() || width == 0 ? 0 : from_b.elements() / width;
  require(from_a.shape.rank() == 2 &&
              (!b || (from_b.dense() && from_b.dtype == from_a.dtype && rows_b * width == from_b.elements())) &&
              shape.elements() == static_cast<int64_t>(index.size()) * width,
          ErrorCode::shape, "[gather_rows] ", index.size(), " rows of ", from_a.shape, " and ", from_b.shape, " into ",
          shape);
  for (int32_t i : index)
    require(i == no_row || (i >= 0 ? i < from_a.rows() : -1 - static_cast<int64_t>(i) < rows_b), ErrorCode::shape,
            "[gather_rows] row ", i, " of ", from_a.rows(), " and ", rows_b);

  const Var y = tape.make(from_a.dtype, shape, tape.any_needs_grad(a, b));
  const auto rows = static_cast<int64_t>(index.size());
  const Exec exec = tape.exec();
  dispatch(from_a.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = tape.value(y).as<T>();
    exec.pool.run((rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
      for (int64_t i = task * rows_per_task; i < std::min(rows, (task + 1) * rows_per_task); ++i) {
        if (const T* row = source<T>(from_a, from_b, index[static_cast<size_t>(i)], width))
          std::copy(row, row + width, out + i * width);
        else
          std::fill(out + i * width, out + (i + 1) * width, zero);
      }
    });
  });
  tape.record("gather_rows", {y}, [a, b, y, index, width](Tape& t) {
    const View da = sum_target(t, a), db = sum_target(t, b), dy = t.grad(y);
    const Exec e = t.exec();
    dispatch(dy.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* grad = dy.as<T>();
      // by columns: a row may be taken twice
      e.pool.run((width + columns_per_task - 1) / columns_per_task, [&](int64_t task, int) {
        const int64_t begin = task * columns_per_task, end = std::min(width, begin + columns_per_task);
        for (size_t i = 0; i < index.size(); ++i)
          if (T* row = source<T>(da, db, index[i], width))
            for (int64_t c = begin; c < end; ++c) row[c] += grad[static_cast<int64_t>(i) * width + c];
      });
    });
  });
  return y;
}

std::vector<OpCase> gather_rows_cases() {
  OpCase one{.op = "gather_rows", .name = "one", .inputs = {{"a", {7, 3}}}};
  one.run = [index = std::vector<int32_t>{5, 2, no_row, 2}](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", gather_rows(tape, in.at("a"), {}, index, {4, 3})}};
  };
  OpCase two{.op = "gather_rows", .name = "two", .inputs = {{"a", {5, 90}}, {"b", {2, 3, 40}}}};
  two.run = [index = std::vector<int32_t>{-1, -6, 0, 4, no_row, -2}](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", gather_rows(tape, tape.columns(in.at("a"), 3, 40), in.at("b"), index, {2, 3, 40})}};
  };
  // keys and values carried over
  OpCase base{.op = "gather_rows", .name = "base", .inputs = {{"a", {2048, 768}}, {"b", {2048, 768}}}};
  std::vector<int32_t> index;
  for (int32_t s = 0; s < 2; ++s) {
    for (int32_t i = 0; i < 1024; ++i) index.push_back(-1 - (1024 * s + i));
    for (int32_t i = 0; i < 1024; ++i) index.push_back(1024 * s + i);
  }
  base.run = [index](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", gather_rows(tape, in.at("a"), in.at("b"), index, {4096, 768})}};
  };
  base.benchmark = true;
  return {one, two, base};
}

}  // namespace statera
