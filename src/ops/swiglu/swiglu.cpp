#include "ops/swiglu/swiglu.hpp"

#include "core/check.hpp"
#include "ops/kernels.hpp"

namespace statera {

namespace {
int64_t half_width(const View& gate_up) {
  require(gate_up.shape.rank() == 2 && gate_up.cols() % 2 == 0, ErrorCode::shape, "[swiglu] expected [N, 2 d_ff], got ", gate_up.shape);
  return gate_up.cols() / 2;
}

void backward(Exec exec, const View& gate_up, const View& dy, const View& dgate_up) {
  const int64_t d_ff = gate_up.cols() / 2;
  dispatch(gate_up.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* in = gate_up.as<T>();
    T* din = dgate_up.as<T>();
    pick<T>(exec, swiglu_ref_f64, swiglu_ref_f32, swiglu_cpu)
        .backward({in, in + d_ff, dy.as<T>(), din, din + d_ff, gate_up.rows(), d_ff, gate_up.stride, dgate_up.stride}, exec);
  });
}
}  // namespace

void swiglu(Exec& exec, const View& gate_up, const View& y) {
  const int64_t d_ff = half_width(gate_up);
  require(y.shape == Shape({gate_up.rows(), d_ff}) && y.dense(), ErrorCode::shape, "[swiglu] output ", y.shape);
  dispatch(gate_up.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* in = gate_up.as<T>();
    pick<T>(exec, swiglu_ref_f64, swiglu_ref_f32, swiglu_cpu)
        .forward({in, in + d_ff, y.as<T>(), gate_up.rows(), d_ff, gate_up.stride}, exec);
  });
}

Var swiglu(Tape& tape, Var gate_up) {
  const View in = tape.value(gate_up);
  const Var y = tape.make(in.dtype, {in.rows(), half_width(in)}, tape.needs_grad(gate_up));
  const auto run = [gate_up, y](Tape& t) {
    Exec exec = t.exec();
    swiglu(exec, t.value(gate_up), t.value(y));
  };
  run(tape);
  tape.record("swiglu", {y}, [gate_up, y](Tape& t) {
    const GradSink dgate_up(t, gate_up);
    backward(t.exec(), t.value(gate_up), t.grad(y), dgate_up.view());
  }, run);
  return y;
}

std::vector<OpCase> swiglu_cases() {
  std::vector<OpCase> cases;
  const auto add = [&](const char* name, int64_t rows, int64_t d_ff, bool benchmark) {
    OpCase c{.op = "swiglu", .name = name, .inputs = {{"gate_up", {rows, 2 * d_ff}, -4, 4}}};
    c.run = [](Tape& tape, const NamedVars& in) { return NamedVars{{"y", swiglu(tape, in.at("gate_up"))}}; };
    c.advance = [](Exec&, const NamedViews& in, const View& y) {
      return [gate_up = in.at("gate_up"), y](Exec& exec) { swiglu(exec, gate_up, y); };
    };
    c.benchmark = benchmark;
    c.step = benchmark && rows == 1;
    cases.push_back(c);
  };
  add("tiny", 3, 5, false);
  add("odd", 37, 33, false);
  add("base", 2048, 1136, true);
  add("base_step", 1, 1136, true);
  return cases;
}

}  // namespace statera
