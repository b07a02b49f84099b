#include "ops/routing/routing.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
void check(const View& q, const View& k, const Rows& rows) {
  require(q.shape.rank() == 2 && q.shape == k.shape && q.dtype == k.dtype && q.cols() > 0, ErrorCode::shape,
          "[routing] expected q and k [N, D], got ", q.shape, " and ", k.shape);
  check_rows("routing", rows, q.rows());
}

template <class T>
RoutingForward<T> arguments(const View& q, const View& k, const Rows& rows) {
  return {.q = q.as<T>(),
          .k = k.as<T>(),
          .p = nullptr,
          .rows = rows,
          .width = q.cols(),
          .q_stride = q.stride,
          .k_stride = k.stride};
}

void forward(Exec& exec, const View& q, const View& k, const Rows& rows, const View& p) {
  routing_kernels(exec, q.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    RoutingForward<T> a = arguments<T>(q, k, rows);
    a.p = p.as<T>();
    kernels.forward(a, exec);
  });
}
}  // namespace

void routing(Exec& exec, const View& q, const View& k, const Rows& rows, const View& p) {
  check(q, k, rows);
  require(p.shape == Shape({q.rows()}) && p.dense(), ErrorCode::shape, "[routing] expected a whole p [", q.rows(),
          "], got ", p.shape);
  forward(exec, q, k, rows, p);
}

Var routing(Tape& tape, Var q, Var k, const Rows& given) {
  const View query = tape.value(q), key = tape.value(k);
  check(query, key, given);
  const Rows rows = keep(tape, given);
  const Var p = tape.make(query.dtype, {query.rows()}, tape.any_needs_grad(q, k));
  const auto run = [=](Tape& t) {
    Exec exec = exec_of(t);
    forward(exec, t.value(q), t.value(k), rows, t.value(p));
  };
  run(tape);
  tape.record(
      "routing", {p},
      [=](Tape& t) {
        const View in = t.value(q);
        const GradSink dq(t, q), dk(t, k);
        Exec exec = exec_of(t);
        routing_kernels(exec, in.dtype, [&](auto zero, const auto& kernels) {
          using T = decltype(zero);
          kernels.backward(RoutingBackward<T>{.in = arguments<T>(in, t.value(k), rows),
                                              .dp = t.grad(p).as<T>(),
                                              .dq = dq.as<T>(),
                                              .dk = dk.as<T>(),
                                              .dq_stride = dq.view().stride,
                                              .dk_stride = dk.view().stride},
                           exec);
        });
      },
      run);
  return p;
}

std::vector<OpCase> routing_cases() {
  struct Row {
    const char* name;
    std::vector<int32_t> offsets;
    std::vector<int64_t> start;
    int64_t width;
    bool benchmark = false, step = false;
  };
  std::vector<OpCase> cases;
  for (const Row& r : std::vector<Row>{
           {"tiny", {0, 5}, {0}, 3},
           {"none", {0}, {}, 3},
           {"odd", {0, 37, 74}, {0, 9}, 7},
           {"packed", {0, 23, 23, 80, 81, 130}, {64, 3, 0, 0, 32}, 70},
           {"base", {0, 1024, 2048}, {0, 0}, 384, true},
           {"base_step", {0, 1}, {1024}, 384, true, true},
       }) {
    OpCase c{.op = "routing", .name = r.name};
    const int64_t n = r.offsets.back();
    c.inputs = {{"q", {n, r.width}}, {"k", {n, r.width}}};
    c.run = [r](Tape& tape, const NamedVars& in) {
      return NamedVars{{"y", routing(tape, in.at("q"), in.at("k"), {r.offsets, r.start})}};
    };
    c.advance = [r](Exec&, const NamedViews& in, const View& y) {
      return [r, q = in.at("q"), k = in.at("k"), y](Exec& exec) { routing(exec, q, k, {r.offsets, r.start}, y); };
    };
    c.reduction = r.width;
    c.flops = 6.0 * static_cast<double>(n * r.width);
    c.benchmark = r.benchmark;
    c.step = r.step;
    cases.push_back(c);
    if (c.name != "odd") continue;
    cases.push_back(c);  // a gradient that nobody needs is not written
    cases.back().name = "constant_q";
    cases.back().inputs[0].gradient = false;
  }
  return cases;
}

}  // namespace statera
