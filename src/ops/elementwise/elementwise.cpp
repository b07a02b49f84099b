#include "ops/elementwise/elementwise.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
void check(const char* op, const View& a, const View& y) {
  require(a.shape == y.shape && a.dtype == y.dtype, ErrorCode::shape, "[", op, "] ", a.shape, " to ", y.shape);
}

// Calls run(kernels, arguments). b is empty or has the shape and dtype of a.
template <class Run>
void with_kernels(Exec& exec, const View& a, const View& b, const View& y, const Factors& factors, const Run& run) {
  elementwise_kernels(exec, a.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    run(kernels, ElementwiseArguments<T>{.a = a.as<T>(),
                                         .b = b.as<T>(),
                                         .y = y.as<T>(),
                                         .rows = a.rows(),
                                         .columns = a.cols(),
                                         .a_stride = a.stride,
                                         .b_stride = b.stride,
                                         .y_stride = y.stride,
                                         .factor_a = static_cast<T>(factors.a),
                                         .factor_b = static_cast<T>(factors.b)});
  });
}

// The gradient of `to`, whose value has gone into y with this factor.
void send(Tape& tape, Var y, double factor, Var to) {
  const GradSink grad(tape, to);
  Exec exec = exec_of(tape);
  if (grad.view().empty()) return;
  if (factor == 1)
    copy(tape.grad(y), grad.view());
  else
    scaled(exec, tape.grad(y), factor, grad.view());
}
}  // namespace

void add(Exec& exec, const View& a, const View& b, const View& y, const Factors& factors) {
  require(a.shape == b.shape && a.shape == y.shape && a.dtype == b.dtype && a.dtype == y.dtype, ErrorCode::shape,
          "[add] ", a.shape, " + ", b.shape);
  with_kernels(exec, a, b, y, factors, [&](const auto& kernels, const auto& e) { kernels.add(e, exec); });
}

Var add(Tape& tape, Var a, Var b, const Factors& factors) {
  const View va = tape.value(a);
  const Var y = tape.make(va.dtype, va.shape, tape.any_needs_grad(a, b));
  Exec exec = exec_of(tape);
  add(exec, va, tape.value(b), tape.value(y), factors);
  tape.record("add", {y}, [a, b, y, factors](Tape& t) {
    send(t, y, factors.a, a);
    send(t, y, factors.b, b);
  });
  return y;
}

void scaled(Exec& exec, const View& a, double factor, const View& y) {
  check("scaled", a, y);
  with_kernels(exec, a, {}, y, {.a = factor}, [&](const auto& kernels, const auto& e) { kernels.scaled(e, exec); });
}

Var scaled(Tape& tape, Var a, double factor) {
  if (factor == 1) return a;
  const View va = tape.value(a);
  const Var y = tape.make(va.dtype, va.shape, tape.needs_grad(a));
  Exec exec = exec_of(tape);
  scaled(exec, va, factor, tape.value(y));
  tape.record("scaled", {y}, [a, y, factor](Tape& t) { send(t, y, factor, a); });
  return y;
}

void centered(Exec& exec, const View& a, const View& y) {
  check("centered", a, y);
  with_kernels(exec, a, {}, y, {}, [&](const auto& kernels, const auto& e) { kernels.centered(e, exec); });
}

Var centered(Tape& tape, Var a) {
  const View va = tape.value(a);
  const Var y = tape.make(va.dtype, va.shape, tape.needs_grad(a));
  const auto run = [a, y](Tape& t) {
    Exec exec = exec_of(t);
    centered(exec, t.value(a), t.value(y));
  };
  run(tape);
  tape.record(
      "centered", {y},
      [a, y](Tape& t) {
        const GradSink da(t, a);
        Exec exec = exec_of(t);
        if (!da.view().empty()) centered(exec, t.grad(y), da.view());  // centering is its own transpose
      },
      run);
  return y;
}

void neg_exp(Exec& exec, const View& a, const View& y) {
  check("neg_exp", a, y);
  with_kernels(exec, a, {}, y, {}, [&](const auto& kernels, const auto& e) { kernels.neg_exp(e, exec); });
}

Var neg_exp(Tape& tape, Var a) {
  const View va = tape.value(a);
  const Var y = tape.make(va.dtype, va.shape, tape.needs_grad(a));
  Exec exec = exec_of(tape);
  neg_exp(exec, va, tape.value(y));
  tape.record("neg_exp", {y}, [a, y](Tape& t) {
    const GradSink da(t, a);
    Exec e = exec_of(t);
    if (!da.view().empty())
      with_kernels(e, t.grad(y), t.value(y), da.view(), {},
                   [&](const auto& kernels, const auto& arguments) { kernels.product(arguments, e); });
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
