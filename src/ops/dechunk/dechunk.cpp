#include "ops/dechunk/dechunk.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"
#include "kernels/states.hpp"
#include "kernels/view_kernels.hpp"

namespace statera {

namespace {
using Views = DechunkInputs<View>;

void check(const Views& in, const Rows& outer, const Boundaries& cuts) {
  require(in.z.shape.rank() == 2 && in.z.cols() > 0 && in.p.shape.rank() == 1, ErrorCode::shape,
          "[dechunk] expected z [M, D] and p [N], got ", in.z.shape, " and ", in.p.shape);
  check_rows("dechunk", outer, in.p.rows());
  require(in.residual.empty() || in.residual.shape == Shape({in.p.rows(), in.z.cols()}), ErrorCode::shape,
          "[dechunk] expected a residual [", in.p.rows(), ", ", in.z.cols(), "], got ", in.residual.shape);
  require(cuts.inner.total() == in.z.rows() && cuts.inner.sequences() == outer.sequences() &&
              static_cast<int64_t>(cuts.inner_row.size()) == outer.total() &&
              static_cast<int64_t>(cuts.outer_row.size()) == cuts.inner.total(),
          ErrorCode::shape, "[dechunk] the cuts are ", cuts.inner.total(), " of ", cuts.inner_row.size(),
          " rows, expected ", in.z.rows(), " of ", outer.total());
}

// All arguments but the output and the states.
template <class T>
DechunkForward<T> arguments(const Views& in, const Rows& outer, const Boundaries& cuts, Confidence confidence) {
  return {.z = in.z.as<T>(),
          .p = in.p.as<T>(),
          .residual = in.residual.as<T>(),
          .y = nullptr,
          .state_in = nullptr,
          .state_out = nullptr,
          .outer = outer,
          .cuts = cuts,
          .width = in.z.cols(),
          .z_stride = in.z.stride,
          .residual_stride = in.residual.stride,
          .confidence = confidence};
}

// What backward needs.
struct Recorded {
  DechunkInputs<Var> in;
  Var initial, y, last;
  Rows outer;
  Boundaries cuts;
  Confidence confidence;
};

Views values(const Tape& tape, const DechunkInputs<Var>& in) {
  return {.z = tape.value(in.z), .p = tape.value(in.p), .residual = value_or_empty(tape, in.residual)};
}

void backward(Tape& tape, const Recorded& r) {
  Exec exec = exec_of(tape);
  const Views in = values(tape, r.in);
  const GradSink dz(tape, r.in.z), dp(tape, r.in.p), dresidual(tape, r.in.residual), dinitial(tape, r.initial);
  const ArenaScope scope(exec.scratch);
  View dy = tape.grad(r.y);  // empty if only the last state was used
  if (dy.empty()) fill_zero(dy = exec.scratch.allocate(in.z.dtype, tape.value(r.y).shape));
  dechunk_kernels(exec, in.z.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    DechunkBackward<T> b{.in = arguments<T>(in, r.outer, r.cuts, r.confidence),
                         .dy = dy.as<T>(),
                         .dstate_out = state_pointers<T>(exec.scratch, tape.grad(r.last)),
                         .dz = dz.as<T>(),
                         .dp = dp.as<T>(),
                         .dresidual = dresidual.as<T>(),
                         .dstate_in = state_pointers<T>(exec.scratch, dinitial.view()),
                         .dz_stride = dz.view().stride,
                         .dresidual_stride = dresidual.view().stride};
    b.in.state_in = r.initial ? state_pointers<T>(exec.scratch, tape.value(r.initial)) : nullptr;
    kernels.backward(b, exec);
  });
}
}  // namespace

void dechunk(Exec& exec, const Views& in, const Rows& outer, const Boundaries& cuts, Confidence confidence,
             void* const* states, const View& y) {
  check(in, outer, cuts);
  require(y.shape == Shape({in.p.rows(), in.z.cols()}) && y.dense(), ErrorCode::shape,
          "[dechunk] expected a whole output [", in.p.rows(), ", ", in.z.cols(), "], got ", y.shape);
  const ArenaScope scope(exec.scratch);
  dechunk_kernels(exec, in.z.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    DechunkForward<T> a = arguments<T>(in, outer, cuts, confidence);
    a.y = y.as<T>();
    a.state_in = a.state_out = state_pointers<T>(exec.scratch, states, outer);
    kernels.forward(a, exec);
  });
}

DechunkOut dechunk(Tape& tape, const DechunkInputs<Var>& in, Var initial, const Rows& given, const Boundaries& cuts,
                   Confidence confidence) {
  const Views views = values(tape, in);
  check(views, given, cuts);
  const Shape states{given.sequences(), views.z.cols()};
  require(!initial || tape.value(initial).shape == states, ErrorCode::shape, "[dechunk] expected an initial state ",
          states, ", got ", initial ? tape.value(initial).shape : Shape());
  const Rows outer = keep(tape, given);
  const bool needs_grad = tape.any_needs_grad(in.z, in.p, in.residual, initial);
  const DechunkOut out{.y = tape.make(views.z.dtype, {views.p.rows(), views.z.cols()}, needs_grad),
                       .last = tape.make(views.z.dtype, states, needs_grad)};
  Exec exec = exec_of(tape);
  const ArenaScope scope(exec.scratch);
  dechunk_kernels(exec, views.z.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    DechunkForward<T> a = arguments<T>(views, outer, cuts, confidence);
    a.y = tape.value(out.y).template as<T>();
    a.state_in = initial ? state_pointers<T>(exec.scratch, tape.value(initial)) : nullptr;
    a.state_out = state_pointers<T>(exec.scratch, tape.value(out.last));
    kernels.forward(a, exec);
  });
  const Recorded recorded{.in = in,
                          .initial = initial,
                          .y = out.y,
                          .last = out.last,
                          .outer = outer,
                          .cuts = cuts,
                          .confidence = confidence};
  tape.record("dechunk", {out.y, out.last}, [recorded](Tape& t) { backward(t, recorded); });
  return out;
}

namespace {
// Cuts at fixed places, since those of p would move with it in a finite difference: rows 0, 1, 3, 4, 7, ...
Boundaries case_cuts(Arena& memory, const Rows& outer) {
  Tensor marks(DType::f64, {outer.total()});
  set_each(marks, [](int64_t t) { return t % 7 % 3 < 2 ? 1.0f : 0.0f; });
  const std::vector<int64_t> start(static_cast<size_t>(outer.sequences()), 3);
  return find_boundaries(memory, marks, outer, start, 0);
}
}  // namespace

std::vector<OpCase> dechunk_cases() {
  struct Row {
    const char* name;
    std::vector<int32_t> offsets;
    std::vector<int64_t> start;
    int64_t width;
    Confidence confidence = Confidence::straight_through;
    bool residual = true, initial = false, clamped = false, benchmark = false, step = false;
  };
  std::vector<OpCase> cases;
  for (const Row& r : std::vector<Row>{
           {"tiny", {0, 5}, {0}, 3},
           {"none", {0}, {}, 3, Confidence::plain},
           {"plain", {0, 37, 74}, {0, 0}, 7, Confidence::plain},
           {"plain_initial", {0, 37, 74}, {5, 70}, 6, Confidence::plain, true, true},
           {"clamped", {0, 37}, {0}, 6, Confidence::plain, true, false, true},
           {"no_confidence", {0, 20, 37}, {9, 0}, 6, Confidence::none, false, true},
           {"packed", {0, 23, 23, 80, 81, 130}, {64, 3, 0, 9, 32}, 150, Confidence::straight_through, true, true, true},
           {"base", {0, 1024, 2048}, {0, 0}, 384, Confidence::straight_through, true, false, false, true},
           {"base_step", {0, 1}, {1024}, 384, Confidence::straight_through, true, true, false, true, true},
       }) {
    Arena counted;
    const int64_t n = r.offsets.back(), sequences = static_cast<int64_t>(r.start.size()),
                  cuts = case_cuts(counted, {r.offsets, r.start}).inner.total();
    OpCase c{.op = "dechunk", .name = r.name};
    c.inputs = {{"z", {cuts, r.width}}, {"p", {n}, r.clamped ? -0.5 : 0.01, r.clamped ? 1.5 : 0.99}};
    if (r.residual) c.inputs.push_back({"residual", {n, r.width}});
    if (r.initial) c.inputs.push_back({"initial", {sequences, r.width}});
    c.run = [r](Tape& tape, const NamedVars& in) {
      const auto optional = [&](const char* name) { return in.contains(name) ? in.at(name) : Var{}; };
      const Rows outer = keep(tape, {r.offsets, r.start});
      const DechunkOut out = dechunk(tape, {.z = in.at("z"), .p = in.at("p"), .residual = optional("residual")},
                                     optional("initial"), outer, case_cuts(memory_of(tape), outer), r.confidence);
      return NamedVars{{"y", out.y}, {"last", out.last}};
    };
    c.advance = [r](Exec&, const NamedViews& in, const View& y) {
      const Views views{.z = in.at("z"), .p = in.at("p"), .residual = view_or_empty(in, "residual")};
      const CaseStates states(view_or_empty(in, "initial"), y.dtype, {static_cast<int64_t>(r.start.size()), r.width});
      return [r, views, states, y](Exec& exec) {
        const ArenaScope scope(exec.scratch);
        const Rows outer{r.offsets, r.start};
        dechunk(exec, views, outer, case_cuts(exec.scratch, outer), r.confidence, states.pointers.data(), y);
      };
    };
    c.reduction = std::max(n, r.width);
    c.flops = 5.0 * static_cast<double>(n * r.width);
    c.surrogate = r.confidence == Confidence::straight_through;
    c.benchmark = r.benchmark;
    c.step = r.step;
    cases.push_back(c);
    if (c.name != "plain") continue;
    cases.push_back(c);  // gradients that nobody needs are not written
    cases.back().name = "constant_p";
    cases.back().inputs[1].gradient = false;
    cases.push_back(c);
    cases.back().name = "constant_z";
    cases.back().inputs[0].gradient = cases.back().inputs[2].gradient = false;
  }
  return cases;
}

}  // namespace statera
