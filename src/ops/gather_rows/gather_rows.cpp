#include "ops/gather_rows/gather_rows.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
template <class T>
GatherRows<T> arguments(const View& a, const View& b, const View& y, std::span<const int32_t> index, int64_t width) {
  return {.a = a.as<T>(),
          .b = b.as<T>(),
          .y = y.as<T>(),
          .index = index.data(),
          .rows_a = a.empty() ? 0 : a.rows(),
          .rows_b = b.empty() || width == 0 ? 0 : b.elements() / width,
          .rows = static_cast<int64_t>(index.size()),
          .width = width,
          .a_stride = a.stride};
}
}  // namespace

Var gather_rows(Tape& tape, Var a, Var b, std::span<const int32_t> index, const Shape& shape) {
  const View from_a = tape.value(a), from_b = value_or_empty(tape, b);
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
  Exec exec = exec_of(tape);
  gather_rows_kernels(exec, from_a.dtype, [&](auto zero, const auto& kernels) {
    kernels.forward(arguments<decltype(zero)>(from_a, from_b, tape.value(y), index, width), exec);
  });
  tape.record("gather_rows", {y}, [a, b, y, index, width](Tape& t) {
    const GradSink da(t, a), db(t, b);
    Exec e = exec_of(t);
    gather_rows_kernels(e, t.grad(y).dtype, [&](auto zero, const auto& kernels) {
      kernels.backward(arguments<decltype(zero)>(da.view(), db.view(), t.grad(y), index, width), e);
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
  // as for carried keys and values
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
