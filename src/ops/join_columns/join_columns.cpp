#include "ops/join_columns/join_columns.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
template <class T>
JoinColumns<T> arguments(const View& a, const View& b, const View& y, int64_t a_columns) {
  return {.a = a.as<T>(),
          .b = b.as<T>(),
          .y = y.as<T>(),
          .rows = y.rows(),
          .a_columns = a_columns,
          .b_columns = y.cols() - a_columns,
          .a_stride = a.stride,
          .b_stride = b.stride,
          .y_stride = y.stride};
}
}  // namespace

void join_columns(Exec& exec, const View& a, const View& b, const View& y) {
  require(a.shape.rank() == 2 && b.shape.rank() == 2 && a.rows() == b.rows() && a.dtype == b.dtype &&
              y.dtype == a.dtype && y.shape == Shape({a.rows(), a.cols() + b.cols()}),
          ErrorCode::shape, "[join_columns] ", a.shape, " and ", b.shape, " into ", y.shape);
  join_columns_kernels(exec, y.dtype, [&](auto zero, const auto& kernels) {
    kernels.forward(arguments<decltype(zero)>(a, b, y, a.cols()), exec);
  });
}

Var join_columns(Tape& tape, Var a, Var b) {
  const View va = tape.value(a), vb = tape.value(b);
  const Var y = tape.make(va.dtype, {va.rows(), va.cols() + vb.cols()}, tape.any_needs_grad(a, b));
  Exec exec = exec_of(tape);
  join_columns(exec, va, vb, tape.value(y));
  tape.record(
      "join_columns", {y},
      [a, b, y](Tape& t) {
        const GradSink da(t, a), db(t, b);
        Exec e = exec_of(t);
        join_columns_kernels(e, t.grad(y).dtype, [&](auto zero, const auto& kernels) {
          kernels.backward(arguments<decltype(zero)>(da.view(), db.view(), t.grad(y), t.value(a).cols()), e);
        });
      },
      [a, b, y](Tape& t) {
        Exec e = exec_of(t);
        join_columns(e, t.value(a), t.value(b), t.value(y));
      });
  return y;
}

std::vector<OpCase> join_columns_cases() {
  OpCase odd{.op = "join_columns", .name = "odd", .inputs = {{"a", {37, 5}}, {"b", {37, 3}}}};
  odd.run = [](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", join_columns(tape, in.at("a"), in.at("b"))}};
  };
  odd.advance = [](Exec&, const NamedViews& in, const View& y) {
    return [a = in.at("a"), b = in.at("b"), y](Exec& exec) { join_columns(exec, a, b, y); };
  };
  OpCase twice = odd;  // one matrix in both places: gradients add up
  twice.name = "twice", twice.inputs = {{"a", {37, 5}}}, twice.advance = {};
  twice.run = [](Tape& tape, const NamedVars& in) {
    return NamedVars{{"y", join_columns(tape, in.at("a"), in.at("a"))}};
  };
  OpCase base = odd, step = odd;  // as wide as the residual stream and a side value
  base.name = "base", base.benchmark = true, base.inputs = {{"a", {2048, 384}}, {"b", {2048, 384}}};
  step.name = "base_step", step.benchmark = step.step = true, step.inputs = {{"a", {1, 384}}, {"b", {1, 384}}};
  return {odd, twice, base, step};
}

}  // namespace statera
