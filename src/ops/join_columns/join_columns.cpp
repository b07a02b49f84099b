#include "ops/join_columns/join_columns.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

void join_columns(Exec&, const View& a, const View& b, const View& y) {
  require(a.shape.rank() == 2 && b.shape.rank() == 2 && a.rows() == b.rows() && a.dtype == b.dtype &&
              y.dtype == a.dtype && y.shape == Shape({a.rows(), a.cols() + b.cols()}),
          ErrorCode::shape, "[join_columns] ", a.shape, " and ", b.shape, " into ", y.shape);
  copy(a, y.columns(0, a.cols()));
  copy(b, y.columns(a.cols(), b.cols()));
}

Var join_columns(Tape& tape, Var a, Var b) {
  const View va = tape.value(a), vb = tape.value(b);
  const Var y = tape.make(va.dtype, {va.rows(), va.cols() + vb.cols()}, tape.any_needs_grad(a, b));
  Exec exec = exec_of(tape);
  join_columns(exec, va, vb, tape.value(y));
  tape.record(
      "join_columns", {y},
      [a, b, y](Tape& t) {
        int64_t begin = 0;
        for (const Var from : {a, b}) {
          const int64_t width = t.value(from).cols();
          if (const GradSink sink(t, from); !sink.view().empty()) copy(t.grad(y).columns(begin, width), sink.view());
          begin += width;
        }
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
