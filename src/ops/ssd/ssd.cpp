#include "ops/ssd/ssd.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"
#include "kernels/states.hpp"

namespace statera {

namespace {
using Views = SsdInputs<View>;

void check(const Views& in, const Rows& rows, const SsdOptions& options) {
  require(in.x.shape.rank() == 2, ErrorCode::shape, "[ssd] expected x [N, H P], got ", in.x.shape);
  require(in.A.shape.rank() == 1 && in.A.elements() > 0, ErrorCode::shape, "[ssd] expected A [H], got ", in.A.shape);
  const int64_t n = in.x.rows(), heads = in.A.elements(), groups = options.n_groups;
  require(in.x.cols() % heads == 0 && in.x.cols() > 0, ErrorCode::shape, "[ssd] x ", in.x.shape,
          " is not a multiple of ", heads, " heads");
  require(in.dt.shape == Shape({n, heads}), ErrorCode::shape, "[ssd] expected dt [", n, ", ", heads, "], got ",
          in.dt.shape);
  require(groups > 0 && heads % groups == 0, ErrorCode::shape, "[ssd] ", groups, " groups do not divide ", heads,
          " heads");
  require(in.B.shape.rank() == 2 && in.B.rows() == n && in.B.cols() > 0 && in.B.cols() % groups == 0 &&
              in.B.shape == in.C.shape,
          ErrorCode::shape, "[ssd] expected B and C [", n, ", ", groups, " d_state], got ", in.B.shape, " and ",
          in.C.shape);
  require(in.D.empty() || in.D.elements() == heads || in.D.elements() == in.x.cols(), ErrorCode::shape,
          "[ssd] expected D [", heads, "] or [", in.x.cols(), "], got ", in.D.shape);
  require(in.dt_bias.empty() || in.dt_bias.elements() == heads, ErrorCode::shape, "[ssd] expected dt_bias [", heads,
          "], got ", in.dt_bias.shape);
  require(options.chunk_size > 0, ErrorCode::shape, "[ssd] chunk_size ", options.chunk_size);
  check_rows("ssd", rows, n);
}

// All arguments but the output and the states.
template <class T>
SsdForward<T> arguments(const Views& in, const Rows& rows, const SsdOptions& options) {
  const int64_t heads = in.A.elements();
  return {.x = in.x.as<T>(),
          .dt = in.dt.as<T>(),
          .B = in.B.as<T>(),
          .C = in.C.as<T>(),
          .A = in.A.as<T>(),
          .D = in.D.as<T>(),
          .dt_bias = in.dt_bias.as<T>(),
          .y = nullptr,
          .state_in = nullptr,
          .state_out = nullptr,
          .rows = rows,
          .n_heads = heads,
          .headdim = in.x.cols() / heads,
          .n_groups = options.n_groups,
          .d_state = in.B.cols() / options.n_groups,
          .chunk_size = options.chunk_size,
          .x_stride = in.x.stride,
          .dt_stride = in.dt.stride,
          .B_stride = in.B.stride,
          .C_stride = in.C.stride,
          .dt_min = static_cast<T>(options.dt_limit_min),
          .dt_max = static_cast<T>(options.dt_limit_max),
          .dt_softplus = options.dt_softplus,
          .D_per_channel = !in.D.empty() && in.D.elements() != heads};
}

Views values(const Tape& tape, const SsdInputs<Var>& in) {
  return {.x = value_or_empty(tape, in.x),
          .dt = value_or_empty(tape, in.dt),
          .A = value_or_empty(tape, in.A),
          .B = value_or_empty(tape, in.B),
          .C = value_or_empty(tape, in.C),
          .D = value_or_empty(tape, in.D),
          .dt_bias = value_or_empty(tape, in.dt_bias)};
}

// What backward needs.
struct Recorded {
  SsdInputs<Var> in;
  Var initial, y, last;
  Rows rows;
  SsdOptions options;
};

void backward(Tape& tape, const Recorded& r) {
  Exec exec = exec_of(tape);
  const Views in = values(tape, r.in);
  const auto always = GradSink::Wanted::always;  // the kernel computes all of them at once
  const GradSink dx(tape, r.in.x, always), ddt(tape, r.in.dt, always), dA(tape, r.in.A, always),
      dB(tape, r.in.B, always), dC(tape, r.in.C, always), dD(tape, r.in.D, always),
      ddt_bias(tape, r.in.dt_bias, always), dinitial(tape, r.initial);
  const ArenaScope scope(exec.scratch);
  // It is empty if only the last state was used.
  View dy = tape.grad(r.y);
  if (dy.empty()) fill_zero(dy = exec.scratch.allocate(in.x.dtype, in.x.shape));
  ssd_kernels(exec, in.x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    SsdBackward<T> b{.in = arguments<T>(in, r.rows, r.options),
                     .dy = dy.as<T>(),
                     .dstate_out = state_pointers<T>(exec.scratch, tape.grad(r.last)),
                     .dx = dx.as<T>(),
                     .ddt = ddt.as<T>(),
                     .dB = dB.as<T>(),
                     .dC = dC.as<T>(),
                     .dA = dA.as<T>(),
                     .dD = dD.as<T>(),
                     .ddt_bias = ddt_bias.as<T>(),
                     .dstate_in = state_pointers<T>(exec.scratch, dinitial.view()),
                     .dx_stride = dx.view().stride,
                     .ddt_stride = ddt.view().stride,
                     .dB_stride = dB.view().stride,
                     .dC_stride = dC.view().stride};
    b.in.state_in = r.initial ? state_pointers<T>(exec.scratch, tape.value(r.initial)) : nullptr;
    kernels.backward(b, exec);
  });
}
}  // namespace

void ssd(Exec& exec, const Views& in, const Rows& rows, const SsdOptions& options, void* const* states, const View& y) {
  check(in, rows, options);
  require(y.shape == in.x.shape && y.dense(), ErrorCode::shape,
          "[ssd] expected a whole output of one row per row of the input, got ", y.shape);
  const ArenaScope scope(exec.scratch);
  ssd_kernels(exec, in.x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    SsdForward<T> a = arguments<T>(in, rows, options);
    // The kernel reads the old states and overwrites them with the new ones.
    T** pointers = state_pointers<T>(exec.scratch, states, rows);
    a.y = y.as<T>(), a.state_in = pointers, a.state_out = pointers;
    kernels.forward(a, exec);
  });
}

SsdOut ssd(Tape& tape, const SsdInputs<Var>& in, Var initial, const Rows& rows, const SsdOptions& options) {
  const Views views = values(tape, in);
  check(views, rows, options);
  const int64_t heads = views.A.elements();
  const Shape state_shape{rows.sequences(), heads, views.x.cols() / heads, views.B.cols() / options.n_groups};
  require(!initial || tape.value(initial).shape == state_shape, ErrorCode::shape, "[ssd] expected an initial state ",
          state_shape, ", got ", initial ? tape.value(initial).shape : Shape());
  const bool needs_grad = tape.any_needs_grad(in.x, in.dt, in.A, in.B, in.C, in.D, in.dt_bias, initial);
  const SsdOut out{.y = tape.make(views.x.dtype, views.x.shape, needs_grad),
                   .last = tape.make(views.x.dtype, state_shape, needs_grad)};
  Exec exec = exec_of(tape);
  const ArenaScope scope(exec.scratch);
  ssd_kernels(exec, views.x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    SsdForward<T> a = arguments<T>(views, rows, options);
    a.y = tape.value(out.y).template as<T>();
    a.state_in = initial ? state_pointers<T>(exec.scratch, tape.value(initial)) : nullptr;
    a.state_out = state_pointers<T>(exec.scratch, tape.value(out.last));
    kernels.forward(a, exec);
  });
  const Recorded recorded{
      .in = in, .initial = initial, .y = out.y, .last = out.last, .rows = keep(tape, rows), .options = options};
  // Without a second closure: the scan is too expensive to run again, so y is kept.
  tape.record("ssd", {out.y, out.last}, [recorded](Tape& t) { backward(t, recorded); });
  return out;
}

std::vector<OpCase> ssd_cases() {
  struct Row {
    const char* name;
    std::vector<int32_t> offsets;
    std::vector<int64_t> start;
    int64_t heads, headdim, groups, d_state;
    SsdOptions options = {};
    bool initial = false, D = true, D_per_channel = false, dt_bias = true, benchmark = false, step = false;
  };
  std::vector<OpCase> cases;
  for (Row& r : std::vector<Row>{
           {"tiny", {0, 5}, {0}, 2, 3, 1, 4},
           {"plain", {0, 33}, {0}, 3, 4, 3, 4, {.chunk_size = 11, .dt_softplus = false}, false, false, false, false},
           {"odd_initial", {0, 37, 74}, {5, 70}, 6, 3, 2, 5, {.chunk_size = 16}, true},
           {"packed", {0, 23, 23, 80, 81, 130}, {64, 3, 0, 9, 32}, 10, 5, 2, 6, {.chunk_size = 32}, true, true, true},
           {"long", {0, 130}, {0}, 5, 18, 1, 17, {}, false, true, true},
           {"head64", {0, 81}, {0}, 5, 64, 1, 64},
           {"dt_limit", {0, 37}, {0}, 4, 3, 2, 4, {.chunk_size = 16, .dt_limit_min = 0.2, .dt_limit_max = 0.8}},
           {"steps", {0, 1, 4}, {7, 0}, 4, 16, 2, 16, {}, true},
           {"char_lm", {0, 512, 1024, 1536, 2048}, {0, 0, 0, 0}, 8, 64, 1, 64, {}, false, true, false, true, true},
           {"base", {0, 1024, 2048}, {0, 0}, 12, 64, 1, 64, {}, false, true, false, true, true},
           {"base_step", {0, 1}, {1024}, 12, 64, 1, 64, {}, true, true, false, true, true, true},
           {"mamba2_130m", {0, 1024}, {0}, 24, 64, 1, 128, {}, false, true, false, true, true},
       }) {
    r.options.n_groups = r.groups;
    const int64_t n = r.offsets.back(), width = r.heads * r.headdim, sequences = static_cast<int64_t>(r.start.size());
    OpCase c{.op = "ssd", .name = r.name};
    c.inputs = {{"x", {n, width}},
                {"A", {r.heads}, -2, -0.1},
                {"B", {n, r.groups * r.d_state}},
                {"C", {n, r.groups * r.d_state}}};
    c.inputs.push_back(r.options.dt_softplus ? OpInput{"dt", {n, r.heads}, -3, 1}
                                             : OpInput{"dt", {n, r.heads}, 0.05, 0.5});
    if (r.D) c.inputs.push_back({"D", {r.D_per_channel ? width : r.heads}});
    if (r.dt_bias) c.inputs.push_back({"dt_bias", {r.heads}});
    if (r.initial) c.inputs.push_back({"initial", {sequences, r.heads, r.headdim, r.d_state}});
    c.run = [r](Tape& tape, const NamedVars& in) {
      const auto optional = [&](const char* name) { return in.contains(name) ? in.at(name) : Var{}; };
      const SsdInputs<Var> inputs{.x = in.at("x"),
                                  .dt = in.at("dt"),
                                  .A = in.at("A"),
                                  .B = in.at("B"),
                                  .C = in.at("C"),
                                  .D = optional("D"),
                                  .dt_bias = optional("dt_bias")};
      const SsdOut out = ssd(tape, inputs, optional("initial"), {r.offsets, r.start}, r.options);
      return NamedVars{{"y", out.y}, {"last", out.last}};
    };
    c.advance = [r](Exec&, const NamedViews& in, const View& y) {
      const Views views{.x = in.at("x"),
                        .dt = in.at("dt"),
                        .A = in.at("A"),
                        .B = in.at("B"),
                        .C = in.at("C"),
                        .D = view_or_empty(in, "D"),
                        .dt_bias = view_or_empty(in, "dt_bias")};
      const CaseStates states(view_or_empty(in, "initial"), y.dtype,
                              {static_cast<int64_t>(r.start.size()), r.heads, r.headdim, r.d_state});
      return [r, views, states, y](Exec& exec) {
        ssd(exec, views, {r.offsets, r.start}, r.options, states.pointers.data(), y);
      };
    };
    c.reduction = n * r.d_state;
    c.flops = 4.0 * static_cast<double>(n * width * r.d_state);
    c.benchmark = r.benchmark;
    c.step = r.step;
    cases.push_back(std::move(c));
  }
  return cases;
}

}  // namespace statera
