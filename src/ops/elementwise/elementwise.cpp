#include "ops/elementwise/elementwise.hpp"

#include <cmath>

#include "core/check.hpp"
#include "ops/kernels.hpp"

namespace statera {

namespace {
constexpr int64_t rows_per_task = 64;

// Calls row(n) for all rows of an [N, C] matrix, on all threads.
template <class Row>
void each_row(Exec& exec, int64_t rows, const Row& row) {
  exec.pool.run((rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t n = task * rows_per_task; n < std::min(rows, (task + 1) * rows_per_task); ++n) row(n);
  });
}

// y[i] = f(i-th of a, i-th of b) of one type T, row by row; b may be a.
template <class T, class F>
void combine(Exec& exec, const View& a, const View& b, const View& y, F f) {
  const int64_t columns = a.cols();
  each_row(exec, a.rows(), [&, columns, f](int64_t n) {
    const T *pa = a.as<T>() + n * a.stride, *pb = b.as<T>() + n * b.stride;
    T* py = y.as<T>() + n * y.stride;
    for (int64_t c = 0; c < columns; ++c) py[c] = f(pa[c], pb[c]);
  });
}

void send(const View& from, double factor, const GradTarget& to, Exec exec) {
  if (to.view.empty()) return;
  if (to.accumulate)
    add(exec, to.view, from, to.view, {1, factor});
  else if (factor == 1)
    copy(from, to.view);
  else
    scaled(exec, from, factor, to.view);
}
}  // namespace

void add(Exec& exec, const View& a, const View& b, const View& y, const Factors& factors) {
  require(a.shape == b.shape && a.shape == y.shape && a.dtype == b.dtype && a.dtype == y.dtype, ErrorCode::shape,
          "[add] ", a.shape, " + ", b.shape);
  dispatch(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T fa = static_cast<T>(factors.a), fb = static_cast<T>(factors.b);
    if (factors.a == 1 && factors.b == 1)
      combine<T>(exec, a, b, y, [](T u, T v) { return u + v; });
    else
      combine<T>(exec, a, b, y, [fa, fb](T u, T v) { return fa * u + fb * v; });
  });
}

Var add(Tape& tape, Var a, Var b, const Factors& factors) {
  const View va = tape.value(a);
  const Var y = tape.make(va.dtype, va.shape, tape.any_needs_grad(a, b));
  Exec exec = tape.exec();
  add(exec, va, tape.value(b), tape.value(y), factors);
  tape.record("add", {y}, [a, b, y, factors](Tape& t) {
    send(t.grad(y), factors.a, t.target(a), t.exec());
    send(t.grad(y), factors.b, t.target(b), t.exec());
  });
  return y;
}

void scaled(Exec& exec, const View& a, double factor, const View& y) {
  require(a.shape == y.shape && a.dtype == y.dtype, ErrorCode::shape, "[scaled] ", a.shape, " to ", y.shape);
  dispatch(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    combine<T>(exec, a, a, y, [f = static_cast<T>(factor)](T u, T) { return f * u; });
  });
}

Var scaled(Tape& tape, Var a, double factor) {
  if (factor == 1) return a;
  const View va = tape.value(a);
  const Var y = tape.make(va.dtype, va.shape, tape.needs_grad(a));
  Exec exec = tape.exec();
  scaled(exec, va, factor, tape.value(y));
  tape.record("scaled", {y}, [a, y, factor](Tape& t) { send(t.grad(y), factor, t.target(a), t.exec()); });
  return y;
}

namespace {
// Sixteen sums side by side, in double: what is left of a row that is nearly constant keeps its digits, on any
// instruction set the same ones.
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

void add_centered(Exec& exec, const View& a, const View& y, bool add) {
  dispatch(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    each_row(exec, a.rows(), [&, columns = a.cols()](int64_t n) {
      const T* from = a.as<T>() + n * a.stride;
      T* to = y.as<T>() + n * y.stride;
      const T mean = mean_of(from, columns);
      for (int64_t c = 0; c < columns; ++c) to[c] = (add ? to[c] : 0) + (from[c] - mean);
    });
  });
}
}  // namespace

void centered(Exec& exec, const View& a, const View& y) {
  require(a.shape == y.shape && a.dtype == y.dtype, ErrorCode::shape, "[centered] ", a.shape, " to ", y.shape);
  add_centered(exec, a, y, false);
}

Var centered(Tape& tape, Var a) {
  const View va = tape.value(a);
  const Var y = tape.make(va.dtype, va.shape, tape.needs_grad(a));
  const auto run = [a, y](Tape& t) {
    Exec exec = t.exec();
    centered(exec, t.value(a), t.value(y));
  };
  run(tape);
  tape.record(
      "centered", {y},
      [a, y](Tape& t) {
        const GradTarget da = t.target(a);
        Exec exec = t.exec();
        if (!da.view.empty()) add_centered(exec, t.grad(y), da.view, da.accumulate);  // the map is its own transpose
      },
      run);
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
  OpCase weighed = sum;
  weighed.name = "factors";
  weighed.run = [](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", add(tape, in.at("a"), in.at("b"), {0.75, -2.5})}};
  };
  weighed.advance = [](Exec&, const NamedViews& in, const View& y) {
    return [a = in.at("a"), b = in.at("b"), y](Exec& exec) { add(exec, a, b, y, {0.75, -2.5}); };
  };
  OpCase times{.op = "scaled", .name = "odd", .inputs = {{"a", {37, 5}}}};
  times.run = [](Tape& tape, const NamedVars& in) { return NamedVars{{"y", scaled(tape, in.at("a"), 12.25)}}; };
  times.advance = [](Exec&, const NamedViews& in, const View& y) {
    return [a = in.at("a"), y](Exec& exec) { scaled(exec, a, 12.25, y); };
  };
  OpCase middle{.op = "centered", .name = "odd", .inputs = {{"a", {37, 35}}}};
  middle.run = [](Tape& tape, const NamedVars& in) { return NamedVars{{"y", centered(tape, in.at("a"))}}; };
  middle.advance = [](Exec&, const NamedViews& in, const View& y) {
    return [a = in.at("a"), y](Exec& exec) { centered(exec, a, y); };
  };
  middle.reduction = 35;
  OpCase middle_twice = middle;
  middle_twice.name = "twice";
  middle_twice.advance = {};
  middle_twice.run = [](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", add(tape, centered(tape, in.at("a")), in.at("a"))}};
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
  return {sum,
          twice,
          weighed,
          times,
          middle,
          middle_twice,
          negative,
          published(sum, "base", {2048, 384}, false),
          published(sum, "base_step", {1, 384}, true),
          published(times, "base", {2048, 384}, false),
          published(times, "base_step", {1, 384}, true),
          published(middle, "base", {2048, 384}, false),
          published(middle, "base_step", {1, 384}, true),
          published(negative, "base", {768, 16}, false),
          published(negative, "base_step", {768, 16}, true)};
}

}  // namespace statera
