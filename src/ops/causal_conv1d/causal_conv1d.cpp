#include "ops/causal_conv1d/causal_conv1d.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"
#include "kernels/states.hpp"

namespace statera {

namespace {
using Views = CausalConv1dInputs<View>;

void check(const Views& in, const Rows& rows) {
  require(in.x.shape.rank() == 2, ErrorCode::shape, "[causal_conv1d] expected x [N, C], got ", in.x.shape);
  require(in.weight.shape.rank() == 2 && in.weight.rows() == in.x.cols() && in.weight.cols() > 0 && in.weight.dense(),
          ErrorCode::shape, "[causal_conv1d] expected a whole weight [", in.x.cols(), ", d_conv], got ",
          in.weight.shape);
  require(in.bias.empty() || in.bias.shape == Shape({in.x.cols()}), ErrorCode::shape, "[causal_conv1d] expected bias [",
          in.x.cols(), "], got ", in.bias.shape);
  check_rows("causal_conv1d", rows, in.x.rows());
}

// All arguments but the output and the states.
template <class T>
CausalConv1dForward<T> arguments(const Views& in, const Rows& rows) {
  return {.x = in.x.as<T>(),
          .weight = in.weight.as<T>(),
          .bias = in.bias.as<T>(),
          .y = nullptr,
          .state_in = nullptr,
          .state_out = nullptr,
          .rows = rows,
          .channels = in.x.cols(),
          .width = in.weight.cols(),
          .x_stride = in.x.stride,
          .silu = in.silu};
}

Views values(const Tape& tape, const CausalConv1dInputs<Var>& in) {
  return {
      .x = tape.value(in.x), .weight = tape.value(in.weight), .bias = value_or_empty(tape, in.bias), .silu = in.silu};
}

// What forward needs when it runs again, and backward.
struct Recorded {
  CausalConv1dInputs<Var> in;
  Var initial, y, last;
  Rows rows;
};

void forward(Tape& tape, const Recorded& r) {
  Exec exec = exec_of(tape);
  const ArenaScope scope(exec.scratch);
  const Views in = values(tape, r.in);
  causal_conv1d_kernels(exec, in.x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    CausalConv1dForward<T> a = arguments<T>(in, r.rows);
    a.y = tape.value(r.y).as<T>();
    a.state_in = r.initial ? state_pointers<T>(exec.scratch, tape.value(r.initial)) : nullptr;
    a.state_out = state_pointers<T>(exec.scratch, tape.value(r.last));
    kernels.forward(a, exec);
  });
}

void backward(Tape& tape, const Recorded& r) {
  Exec exec = exec_of(tape);
  const Views in = values(tape, r.in);
  const GradSink dx(tape, r.in.x), dweight(tape, r.in.weight), dbias(tape, r.in.bias), dinitial(tape, r.initial);
  const ArenaScope scope(exec.scratch);
  // It is empty if only the last state was used.
  View dy = tape.grad(r.y);
  if (dy.empty()) fill_zero(dy = exec.scratch.allocate(in.x.dtype, in.x.shape));
  causal_conv1d_kernels(exec, in.x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    CausalConv1dBackward<T> b{.in = arguments<T>(in, r.rows),
                              .dy = dy.as<T>(),
                              .dstate_out = state_pointers<T>(exec.scratch, tape.grad(r.last)),
                              .dx = dx.as<T>(),
                              .dweight = dweight.as<T>(),
                              .dbias = dbias.as<T>(),
                              .dstate_in = state_pointers<T>(exec.scratch, dinitial.view()),
                              .dx_stride = dx.view().stride};
    b.in.state_in = r.initial ? state_pointers<T>(exec.scratch, tape.value(r.initial)) : nullptr;
    kernels.backward(b, exec);
  });
}
}  // namespace

void causal_conv1d(Exec& exec, const Views& in, const Rows& rows, void* const* states, const View& y) {
  check(in, rows);
  require(y.shape == in.x.shape && y.dense(), ErrorCode::shape,
          "[causal_conv1d] expected a whole output of one row per row of the input, got ", y.shape);
  const ArenaScope scope(exec.scratch);
  causal_conv1d_kernels(exec, in.x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    CausalConv1dForward<T> a = arguments<T>(in, rows);
    a.y = y.as<T>();
    a.state_in = a.state_out = state_pointers<T>(exec.scratch, states, rows);
    kernels.forward(a, exec);
  });
}

CausalConv1dOut causal_conv1d(Tape& tape, const CausalConv1dInputs<Var>& in, Var initial, const Rows& rows) {
  const Views views = values(tape, in);
  check(views, rows);
  const Shape state_shape{rows.sequences(), views.weight.cols() - 1, views.x.cols()};
  require(!initial || tape.value(initial).shape == state_shape, ErrorCode::shape,
          "[causal_conv1d] expected an initial state ", state_shape, ", got ",
          initial ? tape.value(initial).shape : Shape());
  const bool needs_grad = tape.any_needs_grad(in.x, in.weight, in.bias, initial);
  const CausalConv1dOut out{.y = tape.make(views.x.dtype, views.x.shape, needs_grad),
                            .last = tape.make(views.x.dtype, state_shape, needs_grad)};
  const Recorded recorded{.in = in, .initial = initial, .y = out.y, .last = out.last, .rows = keep(tape, rows)};
  forward(tape, recorded);
  tape.record(
      "causal_conv1d", {out.y, out.last}, [recorded](Tape& t) { backward(t, recorded); },
      [recorded](Tape& t) { forward(t, recorded); });
  return out;
}

std::vector<OpCase> causal_conv1d_cases() {
  struct Row {
    const char* name;
    std::vector<int32_t> offsets;
    std::vector<int64_t> start;
    int64_t channels, width;
    bool silu = true, bias = true, initial = false, strided = false, benchmark = false, step = false;
  };
  std::vector<OpCase> cases;
  for (const Row& r : std::vector<Row>{
           {"tiny", {0, 5}, {0}, 3, 4},
           {"none", {0}, {}, 5, 4},
           {"plain", {0, 37, 74}, {0, 0}, 8, 4, false, false},
           {"short_initial", {0, 2, 4, 4, 5}, {9, 1, 5, 0}, 5, 4, true, true, true},
           {"width1", {0, 7}, {0}, 5, 1, true, false},
           {"width7_initial", {0, 20, 23}, {3, 100}, 35, 7, true, true, true, true},
           {"long", {0, 130}, {0}, 150, 3, true, true, false, true},
           {"packed_initial", {0, 23, 23, 80, 81, 130}, {64, 3, 0, 9, 32}, 17, 4, true, true, true},
           {"blocks_initial", {0, 2, 140, 140}, {5, 70, 3}, 70, 7, false, false, true, true},
           {"base_mamba1", {0, 1024, 2048}, {0, 0}, 768, 4, true, true, false, true, true},
           {"base_mamba2", {0, 1024, 2048}, {0, 0}, 896, 4, true, true, false, true, true},
           {"base_step", {0, 1}, {1024}, 768, 4, true, true, true, true, true, true},
           {"mamba_130m", {0, 1024, 2048}, {0, 0}, 1536, 4, true, true, false, true, true},
       }) {
    const int64_t n = r.offsets.back(), columns = r.strided ? 2 * r.channels : r.channels;
    OpCase c{.op = "causal_conv1d", .name = r.name};
    c.inputs = {{.name = "x", .shape = {n, columns}, .used = r.strided ? 0.5 : 1}, {"weight", {r.channels, r.width}}};
    if (r.bias) c.inputs.push_back({"bias", {r.channels}});
    if (r.initial) c.inputs.push_back({"initial", {static_cast<int64_t>(r.start.size()), r.width - 1, r.channels}});
    c.run = [r](Tape& tape, const NamedVars& in) {
      const auto optional = [&](const char* name) { return in.contains(name) ? in.at(name) : Var{}; };
      const Var x = r.strided ? tape.columns(in.at("x"), r.channels / 2, r.channels) : in.at("x");
      const CausalConv1dOut out =
          causal_conv1d(tape, {.x = x, .weight = in.at("weight"), .bias = optional("bias"), .silu = r.silu},
                        optional("initial"), {r.offsets, r.start});
      return NamedVars{{"y", out.y}, {"last", out.last}};
    };
    c.advance = [r](Exec&, const NamedViews& in, const View& y) {
      const View x = r.strided ? in.at("x").columns(r.channels / 2, r.channels) : in.at("x");
      const Views views{.x = x, .weight = in.at("weight"), .bias = view_or_empty(in, "bias"), .silu = r.silu};
      const CaseStates states(view_or_empty(in, "initial"), x.dtype,
                              {static_cast<int64_t>(r.start.size()), r.width - 1, r.channels});
      return [r, views, states, y](Exec& exec) {
        causal_conv1d(exec, views, {r.offsets, r.start}, states.pointers.data(), y);
      };
    };
    c.reduction = n;
    c.flops = 2.0 * static_cast<double>(n * r.channels * r.width);
    c.benchmark = r.benchmark;
    c.step = r.step;
    cases.push_back(c);
    if (c.name != "long") continue;
    // Gradients that nobody needs are not written.
    const auto constant = [&](const char* name, std::initializer_list<size_t> inputs) {
      cases.push_back(c);
      cases.back().name = name;
      for (const size_t i : inputs) cases.back().inputs[i].gradient = false;
    };
    constant("constant_x", {0});
    constant("constant_weight", {1, 2});
  }
  return cases;
}

}  // namespace statera
