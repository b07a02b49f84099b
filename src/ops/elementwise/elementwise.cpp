#include "ops/elementwise/elementwise.hpp"

#include <cmath>

#include "core/check.hpp"
#include "ops/kernels.hpp"

namespace statera {

namespace {
constexpr int64_t rows_per_task = 64;

template <class T>
void add_rows(const View& a, const View& b, const View& y, int64_t begin, int64_t end) {
  const int64_t columns = a.cols();
  for (int64_t n = begin; n < end; ++n) {
    const T *pa = a.as<T>() + n * a.stride, *pb = b.as<T>() + n * b.stride;
    T* py = y.as<T>() + n * y.stride;
    for (int64_t c = 0; c < columns; ++c) py[c] = pa[c] + pb[c];
  }
}

void add_copy(const View& from, const GradTarget& to, Exec exec) {
  if (to.view.empty()) return;
  if (to.accumulate) add(exec, to.view, from, to.view);
  else copy(from, to.view);
}
}  // namespace

void add(Exec& exec, const View& a, const View& b, const View& y) {
  require(a.shape == b.shape && a.shape == y.shape && a.dtype == b.dtype && a.dtype == y.dtype, ErrorCode::shape, "[add] ", a.shape,
          " + ", b.shape);
  exec.pool.run((a.rows() + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    const int64_t begin = task * rows_per_task, end = std::min(a.rows(), begin + rows_per_task);
    if (a.dtype == DType::f64) add_rows<double>(a, b, y, begin, end);
    else add_rows<float>(a, b, y, begin, end);
  });
}

Var add(Tape& tape, Var a, Var b) {
  const View va = tape.value(a);
  const Var y = tape.make(va.dtype, va.shape, tape.any_needs_grad(a, b));
  Exec exec = tape.exec();
  add(exec, va, tape.value(b), tape.value(y));
  tape.record("add", {y}, [a, b, y](Tape& t) {
    add_copy(t.grad(y), t.target(a), t.exec());
    add_copy(t.grad(y), t.target(b), t.exec());
  });
  return y;
}

void neg_exp(Exec& exec, const View& a, const View& y) {
  require(a.shape == y.shape && a.dense() && y.dense(), ErrorCode::shape, "[neg_exp] ", a.shape, " to ", y.shape);
  dispatch(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, float>)
      if (exec.kernels == KernelChoice::fast) return neg_exp_cpu(a.as<T>(), y.as<T>(), a.elements(), exec);
    for (int64_t i = 0; i < a.elements(); ++i) y.as<T>()[i] = -std::exp(a.as<T>()[i]);
  });
}

Var neg_exp(Tape& tape, Var a) {
  const View va = tape.value(a);
  const Var y = tape.make(va.dtype, va.shape, tape.needs_grad(a));
  Exec exec = tape.exec();
  neg_exp(exec, va, tape.value(y));
  tape.record("neg_exp", {y}, [a, y](Tape& t) {
    const GradSink da(t, a);
    const View vy = t.value(y), dy = t.grad(y);
    dispatch(vy.dtype, [&](auto zero) {
      using T = decltype(zero);
      for (int64_t i = 0; i < vy.elements(); ++i) da.as<T>()[i] = dy.as<T>()[i] * vy.as<T>()[i];
    });
  });
  return y;
}

std::vector<OpCase> elementwise_cases() {
  OpCase sum{.op = "add", .name = "odd", .inputs = {{"a", {37, 5}}, {"b", {37, 5}}}};
  sum.run = [](Tape& tape, const NamedVars& in) { return NamedVars{{"y", add(tape, in.at("a"), in.at("b"))}}; };
  sum.advance = [](Exec&, const NamedViews& in, const View& y) {
    return [a = in.at("a"), b = in.at("b"), y](Exec& exec) { add(exec, a, b, y); };
  };
  OpCase twice = sum;  // one input in both places: gradients add up
  twice.name = "twice";
  twice.advance = {};
  twice.run = [](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", add(tape, add(tape, in.at("a"), in.at("b")), in.at("a"))}};
  };
  OpCase negative{.op = "neg_exp", .name = "odd", .inputs = {{"a", {5, 7}, -2, 2}}};
  negative.run = [](Tape& tape, const NamedVars& in) { return NamedVars{{"y", neg_exp(tape, in.at("a"))}}; };
  negative.advance = [](Exec&, const NamedViews& in, const View& y) {
    return [a = in.at("a"), y](Exec& exec) { neg_exp(exec, a, y); };
  };
  const auto published = [](OpCase c, const char* name, const Shape& shape, bool step) {
    c.name = name, c.benchmark = true, c.step = step;
    for (OpInput& input : c.inputs) input.shape = shape;
    return c;
  };
  return {sum, twice, negative, published(sum, "base", {2048, 384}, false), published(sum, "base_step", {1, 384}, true),
          published(negative, "base", {768, 16}, false), published(negative, "base_step", {768, 16}, true)};
}

}  // namespace statera
