#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
// Returns the channels per group.
int64_t check(const View& x, const View& z, const View& weight, const View& bias, int64_t group_size) {
  require(x.shape.rank() == 2, ErrorCode::shape, "[gated_rmsnorm] expected x [N, C], got ", x.shape);
  const int64_t channels = x.cols(), group = group_size == 0 ? channels : group_size;
  require(z.empty() || z.shape == x.shape, ErrorCode::shape, "[gated_rmsnorm] gate ", z.shape, " beside x ", x.shape);
  for (const auto& [name, view] : {std::pair("weight", &weight), {"bias", &bias}})
    require(view->empty() || view->shape == Shape({channels}), ErrorCode::shape, "[gated_rmsnorm] expected ", name,
            " [", channels, "], got ", view->shape);
  require(group > 0 && channels % group == 0, ErrorCode::shape, "[gated_rmsnorm] groups of ", group, " do not divide ",
          channels, " channels");
  return group;
}

// All arguments but the outputs.
template <class T>
GatedRmsnormForward<T> arguments(const View& x, const View& z, const View& weight, const View& bias,
                                 const GatedRmsnormOptions& options) {
  return {.x = x.as<T>(),
          .z = z.as<T>(),
          .weight = weight.as<T>(),
          .bias = bias.as<T>(),
          .y = nullptr,
          .rrms = nullptr,
          .rows = x.rows(),
          .channels = x.cols(),
          .group_size = options.group_size == 0 ? x.cols() : options.group_size,
          .x_stride = x.stride,
          .z_stride = z.stride,
          .eps = options.eps,
          .norm_before_gate = options.norm_before_gate};
}

void forward(Exec& exec, const View& x, const View& z, const View& weight, const View& bias,
             const GatedRmsnormOptions& options, const View& y, const View& rrms) {
  gated_rmsnorm_kernels(exec, x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    GatedRmsnormForward<T> a = arguments<T>(x, z, weight, bias, options);
    a.y = y.as<T>();
    a.rrms = rrms.as<T>();
    kernels.forward(a, exec);
  });
}

struct Inputs {
  Var x, z, weight, bias;
};

void backward(Tape& tape, const Inputs& in, const GatedRmsnormOptions& options, const View& rrms, const View& dy) {
  const View x = tape.value(in.x), z = value_or_empty(tape, in.z), weight = value_or_empty(tape, in.weight),
             bias = value_or_empty(tape, in.bias);
  const GradSink dx(tape, in.x), dz(tape, in.z), dweight(tape, in.weight), dbias(tape, in.bias);
  Exec exec = exec_of(tape);
  gated_rmsnorm_kernels(exec, x.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    GatedRmsnormBackward<T> b{.in = arguments<T>(x, z, weight, bias, options),
                              .dy = dy.as<T>(),
                              .dx = dx.as<T>(),
                              .dz = dz.as<T>(),
                              .dweight = dweight.as<T>(),
                              .dbias = dbias.as<T>(),
                              .dx_stride = dx.view().stride,
                              .dz_stride = dz.view().stride};
    b.in.rrms = rrms.as<T>();
    kernels.backward(b, exec);
  });
}
}  // namespace

void gated_rmsnorm(Exec& exec, const View& x, const View& z, const View& weight, const View& bias,
                   const GatedRmsnormOptions& options, const View& y) {
  check(x, z, weight, bias, options.group_size);
  require(y.shape == x.shape && y.dense(), ErrorCode::shape,
          "[gated_rmsnorm] expected a whole output of one row per row of the input, got ", y.shape);
  forward(exec, x, z, weight, bias, options, y, {});
}

Var gated_rmsnorm(Tape& tape, Var x, Var z, Var weight, Var bias, const GatedRmsnormOptions& options) {
  const View in = tape.value(x);
  const int64_t group =
      check(in, value_or_empty(tape, z), value_or_empty(tape, weight), value_or_empty(tape, bias), options.group_size);
  const Var y = tape.make(in.dtype, in.shape, tape.any_needs_grad(x, z, weight, bias));
  const View rrms = tape.needs_grad(y) ? memory_of(tape).allocate(in.dtype, {in.rows(), in.cols() / group}) : View();
  const Inputs inputs{x, z, weight, bias};
  const auto run = [=](Tape& t) {
    Exec exec = exec_of(t);
    forward(exec, t.value(x), value_or_empty(t, z), value_or_empty(t, weight), value_or_empty(t, bias), options,
            t.value(y), rrms);
  };
  run(tape);
  tape.record(
      "gated_rmsnorm", {y}, [=](Tape& t) { backward(t, inputs, options, rrms, t.grad(y)); }, run);
  return y;
}

std::vector<OpCase> gated_rmsnorm_cases() {
  std::vector<OpCase> cases;
  struct Row {
    const char* name;
    int64_t rows, channels;
    GatedRmsnormOptions options;
    bool gate, bias, twice = false, benchmark = false, step = false, weight = true;
  };
  for (const Row& row : {
           Row{"tiny_plain", 5, 6, {}, false, false},
           Row{"tiny_gate_first", 5, 6, {.norm_before_gate = false}, true, false},
           Row{"odd_group_gate_first", 37, 24, {.group_size = 8, .norm_before_gate = false}, true, false},
           Row{"odd_group_norm_first", 37, 66, {.group_size = 33}, true, true},
           Row{"bias", 37, 35, {.eps = 1e-6}, false, true},
           Row{"bias_gate_first", 9, 20, {.group_size = 5, .norm_before_gate = false}, true, true},
           Row{"no_weight", 37, 35, {}, false, false, false, false, false, false},
           Row{"no_weight_gate", 9, 20, {.group_size = 5}, true, true, false, false, false, false},
           Row{"long_twice", 130, 70, {.norm_before_gate = false}, true, true, true},
           Row{"base", 2048, 384, {}, false, false, false, true},
           Row{"base_gate", 2048, 768, {.norm_before_gate = false}, true, false, false, true},
           Row{"base_step", 1, 384, {}, false, false, false, true, true},
           Row{"mamba2_130m", 2048, 1536, {.norm_before_gate = false}, true, false, false, true},
       }) {
    OpCase c{.op = "gated_rmsnorm", .name = row.name};
    c.inputs = {{"x", {row.rows, row.channels}, -2, 2}};
    if (row.weight) c.inputs.push_back({"weight", {row.channels}, 0.5, 1.5});
    if (row.gate) c.inputs.push_back({"z", {row.rows, row.channels}, -3, 3});
    if (row.bias) c.inputs.push_back({"bias", {row.channels}});
    c.run = [row](Tape& tape, const NamedVars& in) {
      const auto call = [&] {
        return gated_rmsnorm(tape, in.at("x"), row.gate ? in.at("z") : Var{}, row.weight ? in.at("weight") : Var{},
                             row.bias ? in.at("bias") : Var{}, row.options);
      };
      NamedVars out{{"y", call()}};
      if (row.twice) out["again"] = call();
      return out;
    };
    c.advance = [row](Exec&, const NamedViews& in, const View& y) {
      return [row, x = in.at("x"), z = view_or_empty(in, "z"), weight = view_or_empty(in, "weight"),
              bias = view_or_empty(in, "bias"),
              y](Exec& exec) { gated_rmsnorm(exec, x, z, weight, bias, row.options, y); };
    };
    c.reduction = std::max(row.rows, row.channels);
    c.benchmark = row.benchmark;
    c.step = row.step;
    cases.push_back(c);
  }
  return cases;
}

}  // namespace statera
