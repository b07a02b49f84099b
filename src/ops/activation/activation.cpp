#include "ops/activation/activation.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

const std::vector<std::string_view>& activation_names() {
  static const std::vector<std::string_view> names = {"silu",         "gelu", "gelu_tanh", "relu",
                                                      "squared_relu", "tanh", "sigmoid"};
  return names;
}

Activation activation_named(const std::string& name, const std::string& where) {
  std::string known;
  for (size_t i = 0; i < activation_names().size(); ++i) {
    if (activation_names()[i] == name) return static_cast<Activation>(i);
    known += (i == 0 ? "" : ", ") + std::string(activation_names()[i]);
  }
  fail(ErrorCode::config, "activation is '", name, "'; known: ", known, " (", where, ")");
}

namespace {
// C of gate_up [N, 2 C].
int64_t half_width(const View& gate_up) {
  require(gate_up.shape.rank() == 2 && gate_up.cols() % 2 == 0, ErrorCode::shape, "[glu] expected [N, 2 C], got ",
          gate_up.shape);
  return gate_up.cols() / 2;
}

// All arguments but the output. With a gate, x is the gate and `up` the second half of the columns.
template <class T>
ActivationForward<T> arguments(Activation f, const View& x, bool gated, const ActivationFactors& factors) {
  const int64_t columns = gated ? x.cols() / 2 : x.cols();
  return {.f = f,
          .x = x.as<T>(),
          .up = gated ? x.as<T>() + columns : nullptr,
          .y = nullptr,
          .rows = x.rows(),
          .columns = columns,
          .stride = x.stride,
          .y_stride = 0,
          .in = factors.in,
          .out = factors.out};
}

void forward(Exec& exec, Activation f, const View& x, bool gated, const View& y, const ActivationFactors& factors) {
  activation_kernels(exec, x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    ActivationForward<T> a = arguments<T>(f, x, gated, factors);
    a.y = y.as<T>();
    a.y_stride = y.stride;
    kernels.forward(a, exec);
  });
}

void backward(Exec exec, Activation f, const View& x, bool gated, const View& dy, const View& dx,
              const ActivationFactors& factors) {
  activation_kernels(exec, x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    const ActivationForward<T> a = arguments<T>(f, x, gated, factors);
    T* to = dx.as<T>();
    kernels.backward(
        {.in = a, .dy = dy.as<T>(), .dx = to, .dup = gated ? to + a.columns : nullptr, .dstride = dx.stride}, exec);
  });
}

// Runs the operation and records it. The output can be computed again, so the tape may forget it.
Var on_tape(Tape& tape, const char* name, Activation f, Var x, bool gated, const ActivationFactors& factors) {
  const View in = tape.value(x);
  const Var y = tape.make(in.dtype, {in.rows(), gated ? half_width(in) : in.cols()}, tape.needs_grad(x));
  const auto run = [=](Tape& t) {
    Exec exec = exec_of(t);
    forward(exec, f, t.value(x), gated, t.value(y), factors);
  };
  run(tape);
  tape.record(
      name, {y},
      [=](Tape& t) {
        const GradSink dx(t, x);
        backward(exec_of(t), f, t.value(x), gated, t.grad(y), dx.view(), factors);
      },
      run);
  return y;
}
}  // namespace

void glu(Exec& exec, Activation f, const View& gate_up, const View& y) {
  const int64_t columns = half_width(gate_up);
  require(y.shape == Shape({gate_up.rows(), columns}) && y.dense(), ErrorCode::shape,
          "[glu] expected a whole output of one row per row of the input, got ", y.shape);
  forward(exec, f, gate_up, true, y, {});
}

Var glu(Tape& tape, Activation f, Var gate_up) { return on_tape(tape, "glu", f, gate_up, true, {}); }

void activate(Exec& exec, Activation f, const View& x, const View& y, const ActivationFactors& factors) {
  require(x.shape.rank() == 2 && y.shape == x.shape, ErrorCode::shape, "[activate] ", x.shape, " to ", y.shape);
  forward(exec, f, x, false, y, factors);
}

Var activate(Tape& tape, Activation f, Var x, const ActivationFactors& factors) {
  return on_tape(tape, "activate", f, x, false, factors);
}

namespace {
OpCase case_of(const std::string& name, Activation f, int64_t rows, int64_t columns, bool gated,
               const ActivationFactors& factors = {}) {
  OpCase c{.op = gated ? "glu" : "activate",
           .name = std::string(activation_names()[static_cast<size_t>(f)]) + "_" + name};
  const std::string input = gated ? "gate_up" : "x";
  c.inputs = {{input, {rows, gated ? 2 * columns : columns}, -4, 4}};
  c.run = [=](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", gated ? glu(tape, f, in.at(input)) : activate(tape, f, in.at(input), factors)}};
  };
  c.advance = [=](Exec&, const NamedViews& in, const View& y) {
    return [=, x = in.at(input)](Exec& exec) {
      if (gated)
        glu(exec, f, x, y);
      else
        activate(exec, f, x, y, factors);
    };
  };
  return c;
}
}  // namespace

std::vector<OpCase> activation_cases() {
  std::vector<OpCase> cases;
  for (size_t i = 0; i < activation_names().size(); ++i) {
    const auto f = static_cast<Activation>(i);
    cases.push_back(case_of("tiny", f, 3, 5, true));
    cases.push_back(case_of("odd", f, 37, 33, true));
    cases.push_back(case_of("odd", f, 37, 33, false));
    cases.push_back(case_of("factors", f, 3, 5, false, {.in = 0.3, .out = -2.5}));
  }
  for (const bool gated : {true, false})
    for (const int64_t rows : {2048, 1}) {
      OpCase c =
          case_of(rows == 1 ? "base_step" : "base", gated ? Activation::silu : Activation::gelu, rows, 1136, gated);
      c.benchmark = true;
      c.step = rows == 1;
      cases.push_back(c);
    }
  return cases;
}

}  // namespace statera
