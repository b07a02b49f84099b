#include "ops/selective_scan/selective_scan.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"
#include "kernels/states.hpp"

namespace statera {

namespace {
using Views = SelectiveScanInputs<View>;

void check(const Views& in, const Rows& rows) {
  require(in.u.shape.rank() == 2 && in.u.cols() > 0, ErrorCode::shape, "[selective_scan] expected u [N, D], got ",
          in.u.shape);
  const int64_t n = in.u.rows(), channels = in.u.cols();
  require(in.delta.shape == in.u.shape && (in.z.empty() || in.z.shape == in.u.shape), ErrorCode::shape,
          "[selective_scan] expected delta and z ", in.u.shape, ", got ", in.delta.shape, " and ", in.z.shape);
  require(in.A.shape.rank() == 2 && in.A.rows() == channels && in.A.cols() > 0 && in.A.dense(), ErrorCode::shape,
          "[selective_scan] expected a whole A [", channels, ", d_state], got ", in.A.shape);
  require(in.B.shape.rank() == 2 && in.B.rows() == n && in.B.cols() > 0 && in.B.cols() % in.A.cols() == 0 &&
              in.B.shape == in.C.shape,
          ErrorCode::shape, "[selective_scan] expected B and C [", n, ", G ", in.A.cols(), "], got ", in.B.shape,
          " and ", in.C.shape);
  const int64_t groups = in.B.cols() / in.A.cols();
  require(channels % groups == 0, ErrorCode::shape, "[selective_scan] ", groups, " groups do not divide ", channels,
          " channels");
  require(in.D.empty() || in.D.shape == Shape({channels}), ErrorCode::shape, "[selective_scan] expected D [", channels,
          "], got ", in.D.shape);
  require(in.delta_bias.empty() || in.delta_bias.shape == Shape({channels}), ErrorCode::shape,
          "[selective_scan] expected delta_bias [", channels, "], got ", in.delta_bias.shape);
  check_rows("selective_scan", rows, n);
}

// All arguments but the output, the states and what is kept.
template <class T>
SelectiveScanForward<T> arguments(const Views& in, const Rows& rows) {
  SelectiveScanForward<T> a{.u = in.u.as<T>(),
                            .delta = in.delta.as<T>(),
                            .z = in.z.as<T>(),
                            .A = in.A.as<T>(),
                            .B = in.B.as<T>(),
                            .C = in.C.as<T>(),
                            .D = in.D.as<T>(),
                            .delta_bias = in.delta_bias.as<T>()};
  a.rows = rows;
  a.channels = in.u.cols(), a.d_state = in.A.cols(), a.n_groups = in.B.cols() / a.d_state;
  a.u_stride = in.u.stride, a.delta_stride = in.delta.stride, a.z_stride = in.z.stride;
  a.B_stride = in.B.stride, a.C_stride = in.C.stride;
  a.delta_softplus = in.delta_softplus;
  return a;
}

Views values(const Tape& tape, const SelectiveScanInputs<Var>& in) {
  return {.u = value_or_empty(tape, in.u),
          .delta = value_or_empty(tape, in.delta),
          .A = value_or_empty(tape, in.A),
          .B = value_or_empty(tape, in.B),
          .C = value_or_empty(tape, in.C),
          .D = value_or_empty(tape, in.D),
          .z = value_or_empty(tape, in.z),
          .delta_bias = value_or_empty(tape, in.delta_bias),
          .delta_softplus = in.delta_softplus};
}

// What backward needs.
struct Recorded {
  SelectiveScanInputs<Var> in;
  Var initial, y, last, kept;
  Rows rows;
};

void backward(Tape& tape, const Recorded& r) {
  Exec exec = exec_of(tape);
  const Views in = values(tape, r.in);
  const auto always = GradSink::Wanted::always;  // the kernel computes all of them at once
  const GradSink du(tape, r.in.u, always), ddelta(tape, r.in.delta, always), dA(tape, r.in.A, always),
      dB(tape, r.in.B, always), dC(tape, r.in.C, always), dD(tape, r.in.D, always), dz(tape, r.in.z, always),
      ddelta_bias(tape, r.in.delta_bias, always), dinitial(tape, r.initial);
  const ArenaScope scope(exec.scratch);
  // It is empty if only the last state was used.
  View dy = tape.grad(r.y);
  if (dy.empty()) fill_zero(dy = exec.scratch.allocate(in.u.dtype, in.u.shape));
  selective_scan_kernels(exec, in.u.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    SelectiveScanBackward<T> b{.in = arguments<T>(in, r.rows),
                               .dy = dy.as<T>(),
                               .dstate_out = state_pointers<T>(exec.scratch, tape.grad(r.last)),
                               .du = du.as<T>(),
                               .ddelta = ddelta.as<T>(),
                               .dz = dz.as<T>(),
                               .dB = dB.as<T>(),
                               .dC = dC.as<T>(),
                               .dA = dA.as<T>(),
                               .dD = dD.as<T>(),
                               .ddelta_bias = ddelta_bias.as<T>(),
                               .dstate_in = state_pointers<T>(exec.scratch, dinitial.view()),
                               .du_stride = du.view().stride,
                               .ddelta_stride = ddelta.view().stride,
                               .dz_stride = dz.view().stride,
                               .dB_stride = dB.view().stride,
                               .dC_stride = dC.view().stride};
    b.in.kept = r.kept ? tape.value(r.kept).as<T>() : nullptr;
    b.in.state_in = r.initial ? state_pointers<T>(exec.scratch, tape.value(r.initial)) : nullptr;
    kernels.backward(b, exec);
  });
}
}  // namespace

void selective_scan(Exec& exec, const Views& in, const Rows& rows, void* const* states, const View& y,
                    const float* packed_A) {
  check(in, rows);
  require(y.shape == in.u.shape && y.dense(), ErrorCode::shape,
          "[selective_scan] expected a whole output of one row per row of the input, got ", y.shape);
  const ArenaScope scope(exec.scratch);
  selective_scan_kernels(exec, in.u.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    SelectiveScanForward<T> a = arguments<T>(in, rows);
    a.y = y.as<T>();
    a.packed_A = packed_A;
    a.state_in = a.state_out = state_pointers<T>(exec.scratch, states, rows);
    kernels.forward(a, exec);
  });
}

SelectiveScanOut selective_scan(Tape& tape, const SelectiveScanInputs<Var>& in, Var initial, const Rows& rows) {
  const Views views = values(tape, in);
  check(views, rows);
  const Shape state_shape{rows.sequences(), views.u.cols(), views.A.cols()};
  require(!initial || tape.value(initial).shape == state_shape, ErrorCode::shape,
          "[selective_scan] expected an initial state ", state_shape, ", got ",
          initial ? tape.value(initial).shape : Shape());
  const bool needs_grad = tape.any_needs_grad(in.u, in.delta, in.A, in.B, in.C, in.D, in.z, in.delta_bias, initial);
  const SelectiveScanOut out{.y = tape.make(views.u.dtype, views.u.shape, needs_grad),
                             .last = tape.make(views.u.dtype, state_shape, needs_grad)};
  // What the fast kernel keeps for backward (selective_scan.md): a value on the tape without a gradient.
  Var kept;
  Exec exec = exec_of(tape);
  const ArenaScope scope(exec.scratch);
  selective_scan_kernels(exec, views.u.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    SelectiveScanForward<T> a = arguments<T>(views, rows);
    a.y = tape.value(out.y).template as<T>();
    a.state_in = initial ? state_pointers<T>(exec.scratch, tape.value(initial)) : nullptr;
    a.state_out = state_pointers<T>(exec.scratch, tape.value(out.last));
    if (const int64_t count = needs_grad ? kernels.kept(a) : 0; count > 0) {
      kept = tape.make(views.u.dtype, {count}, false);
      a.kept = tape.value(kept).template as<T>();
    }
    kernels.forward(a, exec);
  });
  const Recorded recorded{
      .in = in, .initial = initial, .y = out.y, .last = out.last, .kept = kept, .rows = keep(tape, rows)};
  tape.record("selective_scan", {out.y, out.last}, [recorded](Tape& t) { backward(t, recorded); });
  return out;
}

std::vector<OpCase> selective_scan_cases() {
  struct Row {
    const char* name;
    std::vector<int32_t> offsets;
    std::vector<int64_t> start;
    int64_t channels, d_state, groups;
    bool softplus = true, D = true, z = true, delta_bias = true, initial = false, strided = false, benchmark = false,
         step = false;
  };
  std::vector<OpCase> cases;
  for (const Row& r : std::vector<Row>{
           {"tiny", {0, 5}, {0}, 3, 2, 1},
           {"plain", {0, 20, 40}, {0, 0}, 4, 3, 1, false, false, false, false},
           {"odd_groups", {0, 37, 74}, {5, 0}, 38, 5, 2, true, true, true, true, true},
           {"no_gate", {0, 37}, {0}, 18, 16, 1, true, true, false, true, false, true},
           {"long", {0, 130}, {0}, 150, 16, 1, true, true, true, true, false, true},
           {"packed_initial",
            {0, 23, 23, 80, 81, 130},
            {64, 3, 0, 9, 32},
            17,
            4,
            1,
            true,
            true,
            true,
            true,
            true,
            true},
           {"steps", {0, 1, 2, 5}, {7, 0, 2}, 33, 16, 1, true, false, true, true, true},
           {"steps_of_many", {0, 1, 1, 2, 3, 4}, {7, 3, 0, 2, 100}, 150, 16, 1, true, true, true, true, true, true},
           {"char_lm", {0, 512, 1024, 1536, 2048}, {0, 0, 0, 0}, 256, 16, 1, true, true, true, true, false, true, true},
           {"base", {0, 1024, 2048}, {0, 0}, 768, 16, 1, true, true, true, true, false, true, true},
           {"base_step", {0, 1}, {1024}, 768, 16, 1, true, true, true, true, true, true, true, true},
           {"mamba_130m", {0, 1024}, {0}, 1536, 16, 1, true, true, true, true, false, true, true},
       }) {
    const int64_t n = r.offsets.back(), width = r.strided ? 3 * r.channels : r.channels;
    OpCase c{.op = "selective_scan", .name = r.name};
    c.inputs = {{"u", {n, r.channels}}, {"A", {r.channels, r.d_state}, -4, -0.2}};
    c.inputs.push_back(r.softplus ? OpInput{"delta", {n, width}, -3, 1} : OpInput{"delta", {n, width}, 0.05, 0.5});
    if (r.strided) c.inputs.back().used = r.z ? 2.0 / 3 : 1.0 / 3;
    c.inputs.push_back({"BC", {n, 2 * r.groups * r.d_state}});
    if (r.D) c.inputs.push_back({"D", {r.channels}});
    if (r.z && !r.strided) c.inputs.push_back({"z", {n, r.channels}, -3, 3});
    if (r.delta_bias) c.inputs.push_back({"delta_bias", {r.channels}});
    if (r.initial) c.inputs.push_back({"initial", {static_cast<int64_t>(r.start.size()), r.channels, r.d_state}});
    c.run = [r](Tape& tape, const NamedVars& in) {
      const auto optional = [&](const char* name) { return in.contains(name) ? in.at(name) : Var{}; };
      const int64_t bc = r.groups * r.d_state;
      Var delta = in.at("delta"), z = optional("z");
      if (r.strided) {  // both are columns of one projection
        if (r.z) z = tape.columns(delta, 0, r.channels);
        delta = tape.columns(delta, r.channels + 1, r.channels);
      }
      const Var B = tape.columns(in.at("BC"), 0, bc), C = tape.columns(in.at("BC"), bc, bc);
      const SelectiveScanInputs<Var> inputs{.u = in.at("u"),
                                            .delta = delta,
                                            .A = in.at("A"),
                                            .B = B,
                                            .C = C,
                                            .D = optional("D"),
                                            .z = z,
                                            .delta_bias = optional("delta_bias"),
                                            .delta_softplus = r.softplus};
      const SelectiveScanOut out = selective_scan(tape, inputs, optional("initial"), {r.offsets, r.start});
      return NamedVars{{"y", out.y}, {"last", out.last}};
    };
    c.advance = [r](Exec&, const NamedViews& in, const View& y) {
      const int64_t bc = r.groups * r.d_state;
      View delta = in.at("delta"), z = view_or_empty(in, "z");
      if (r.strided) {
        if (r.z) z = delta.columns(0, r.channels);
        delta = delta.columns(r.channels + 1, r.channels);
      }
      const Views views{.u = in.at("u"),
                        .delta = delta,
                        .A = in.at("A"),
                        .B = in.at("BC").columns(0, bc),
                        .C = in.at("BC").columns(bc, bc),
                        .D = view_or_empty(in, "D"),
                        .z = z,
                        .delta_bias = view_or_empty(in, "delta_bias"),
                        .delta_softplus = r.softplus};
      const CaseStates states(view_or_empty(in, "initial"), delta.dtype,
                              {static_cast<int64_t>(r.start.size()), r.channels, r.d_state});
      return [r, views, states, y](Exec& exec) {
        selective_scan(exec, views, {r.offsets, r.start}, states.pointers.data(), y);
      };
    };
    c.reduction = n * r.d_state;
    c.flops = 6.0 * static_cast<double>(n * r.channels * r.d_state);
    c.benchmark = r.benchmark;
    c.step = r.step;
    cases.push_back(c);
  }
  return cases;
}

}  // namespace statera
