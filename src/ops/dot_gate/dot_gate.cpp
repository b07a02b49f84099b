#include "ops/dot_gate/dot_gate.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
void check(const View& q, const View& k, const View& v) {
  require(q.shape.rank() == 2 && k.shape == q.shape && v.shape.rank() == 2 && v.rows() == q.rows(), ErrorCode::shape,
          "[dot_gate] expected q and k [N, C] and v [N, D], got ", q.shape, ", ", k.shape, " and ", v.shape);
  require(k.dtype == q.dtype && v.dtype == q.dtype, ErrorCode::shape, "[dot_gate] expected one type of all inputs");
}

template <class T>
DotGateForward<T> arguments(const View& q, const View& k, const View& v, T* y) {
  return {.q = q.as<T>(),
          .k = k.as<T>(),
          .v = v.as<T>(),
          .y = y,
          .rows = q.rows(),
          .compared = q.cols(),
          .columns = v.cols(),
          .q_stride = q.stride,
          .k_stride = k.stride,
          .v_stride = v.stride};
}

void forward(Exec& exec, const View& q, const View& k, const View& v, const View& y) {
  dot_gate_kernels(exec, q.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.forward(arguments<T>(q, k, v, y.as<T>()), exec);
  });
}
}  // namespace

void dot_gate(Exec& exec, const DotGateInputs<View>& in, const View& y) {
  check(in.q, in.k, in.v);
  require(y.shape == in.v.shape && y.dense(), ErrorCode::shape, "[dot_gate] expected a whole output ", in.v.shape,
          ", got ", y.shape);
  forward(exec, in.q, in.k, in.v, y);
}

// The output can be computed again, so the tape may forget it.
Var dot_gate(Tape& tape, const DotGateInputs<Var>& in) {
  const View q = tape.value(in.q), k = tape.value(in.k), v = tape.value(in.v);
  check(q, k, v);
  const Var y = tape.make(v.dtype, v.shape, tape.needs_grad(in.q) || tape.needs_grad(in.k) || tape.needs_grad(in.v));
  const auto run = [=](Tape& t) {
    Exec exec = exec_of(t);
    forward(exec, t.value(in.q), t.value(in.k), t.value(in.v), t.value(y));
  };
  run(tape);
  tape.record(
      "dot_gate", {y},
      [=](Tape& t) {
        const GradSink dq(t, in.q), dk(t, in.k), dv(t, in.v);
        Exec exec = exec_of(t);
        dot_gate_kernels(exec, t.value(in.v).dtype, [&](auto zero, const auto& kernels) {
          using T = decltype(zero);
          const auto to = [](const GradSink& sink) { return sink.view().empty() ? nullptr : sink.view().as<T>(); };
          kernels.backward({.in = arguments<T>(t.value(in.q), t.value(in.k), t.value(in.v), nullptr),
                            .dy = t.grad(y).template as<T>(),
                            .dq = to(dq),
                            .dk = to(dk),
                            .dv = to(dv),
                            .dq_stride = dq.view().stride,
                            .dk_stride = dk.view().stride,
                            .dv_stride = dv.view().stride},
                           exec);
        });
      },
      run);
  return y;
}

namespace {
OpCase case_of(const std::string& name, int64_t rows, int64_t compared, int64_t columns) {
  OpCase c{.op = "dot_gate", .name = name};
  c.inputs = {{"q", {rows, compared}, -2, 2}, {"k", {rows, compared}, -2, 2}, {"v", {rows, columns}}};
  c.reduction = std::max(compared, columns);
  c.run = [](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", dot_gate(tape, {.q = in.at("q"), .k = in.at("k"), .v = in.at("v")})}};
  };
  c.advance = [](Exec&, const NamedViews& in, const View& y) {
    return [=, q = in.at("q"), k = in.at("k"), v = in.at("v")](Exec& exec) {
      dot_gate(exec, {.q = q, .k = k, .v = v}, y);
    };
  };
  return c;
}
}  // namespace

std::vector<OpCase> dot_gate_cases() {
  std::vector<OpCase> cases{case_of("tiny", 3, 5, 4), case_of("odd", 37, 33, 19), case_of("one", 1, 1, 1),
                            case_of("long", 130, 8, 16)};
  for (const int64_t rows : {2048, 1}) {
    OpCase c = case_of(rows == 1 ? "base_step" : "base", rows, 384, 384);
    c.benchmark = true;
    c.step = rows == 1;
    cases.push_back(c);
  }
  return cases;
}

}  // namespace statera
