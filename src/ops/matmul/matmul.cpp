#include "ops/matmul/matmul.hpp"

#include "autograd/operations.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
// The weight of one product. Either a Weight that keeps its panels, or (weight is null) a value [out, in] that is
// packed for this product only. Weights in training are of the second kind: they change after every step, so kept
// panels would save little and cost twice the memory. `value` is empty for a weight in 8 or 4 bits.
struct Factor {
  View value;
  const Weight* weight = nullptr;

  static Factor of(const Weight& w) { return w.grad().empty() ? Factor{w.value(), &w} : Factor{w.value()}; }

  Panels panels(bool transpose, Exec& exec) const {
    if (weight && transpose) return weight->panels(exec);
    const int64_t n = value.shape[transpose ? 0 : 1], k = value.shape[transpose ? 1 : 0];
    float* memory = exec.scratch.allocate_array<float>(Panels::elements(n, Panels::rows(k, exec.precision)));
    return Panels::pack(exec.pool, value, transpose, exec.precision, memory);
  }
};

const Kernels<MatmulKernels>& kernels_for(const Exec& exec) {
  return exec.precision == Precision::bf16 ? matmul_bf16_kernels : matmul_kernels;
}

void check(const View& x, DType dtype, const Shape& w, const View& bias) {
  require(w.rank() == 2 && x.shape.rank() == 2 && x.cols() == w[1] && x.dtype == dtype, ErrorCode::shape, "[matmul] x ",
          name_of(x.dtype), x.shape, " does not fit a weight ", name_of(dtype), w);
  require(bias.empty() || (bias.shape == Shape({w[0]}) && bias.dtype == dtype), ErrorCode::shape, "[matmul] bias ",
          bias.shape, " of a weight ", w);
}

// c (+)= a w^T if `transpose`, otherwise a w.
void multiply(Exec& exec, const View& a, const Factor& w, bool transpose, const View& c, bool accumulate) {
  const ArenaScope scope(exec.scratch);
  kernels_for(exec)(exec, a.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    Panels panels;
    if constexpr (std::is_same_v<T, float>)
      if (exec.kernels != KernelChoice::reference) panels = w.panels(transpose, exec);
    kernels.product({.a = a.as<T>(),
                     .lda = a.stride,
                     .b = w.value.as<T>(),
                     .ldb = w.value.stride,
                     .transposed = transpose,
                     .panels = panels,
                     .c = c.as<T>(),
                     .ldc = c.stride,
                     .m = a.rows(),
                     .n = c.cols(),
                     .k = a.cols(),
                     .accumulate = accumulate},
                    exec);
  });
}

void multiply_quantised(Exec& exec, const View& x, const QuantisedPanels& w, const View& y, bool accumulate) {
  quantised_kernels.of<float>(exec.kernels)
      .product({.x = x.as<float>(),
                .x_stride = x.stride,
                .w = w,
                .y = y.as<float>(),
                .y_stride = y.stride,
                .rows = x.rows(),
                .accumulate = accumulate},
               exec);
}

void forward(Exec& exec, const View& x, const Factor& w, const View& y, const View& bias) {
  if (!bias.empty())
    kernels_for(exec)(exec, x.dtype, [&](auto zero, const auto& kernels) {
      using T = decltype(zero);
      kernels.set_rows({.row = bias.as<T>(), .y = y.as<T>(), .m = y.rows(), .n = y.cols(), .y_stride = y.stride}, exec);
    });
  if (w.weight && w.weight->format() != WeightFormat::f32)
    multiply_quantised(exec, x, w.weight->quantised(), y, !bias.empty());
  else
    multiply(exec, x, w, true, y, !bias.empty());
}

// dw: where to write the gradient of the weight; empty: it is not trained.
void backward(Tape& tape, Var x, const Factor& w, const View& dw, Var bias, const View& dy) {
  Exec exec = exec_of(tape);
  const GradSink dbias(tape, bias);
  kernels_for(exec)(exec, dy.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    if (!dw.empty()) {
      const View in = tape.value(x);
      kernels.weight_grad({.dy = dy.as<T>(),
                           .dy_stride = dy.stride,
                           .x = in.as<T>(),
                           .x_stride = in.stride,
                           .dw = dw.as<T>(),
                           .dw_stride = dw.stride,
                           .rows = in.rows(),
                           .out = dy.cols(),
                           .in = in.cols()},
                          exec);
    }
    if (!dbias.view().empty())
      kernels.bias_grad(
          {.dy = dy.as<T>(), .dy_stride = dy.stride, .dbias = dbias.as<T>(), .rows = dy.rows(), .out = dy.cols()},
          exec);
  });
  // Only after dw is written: x and the weight may be one value, and then this sink adds to the same gradient.
  if (const GradSink dx(tape, x); !dx.view().empty()) multiply(exec, dy, w, false, dx.view(), false);
}
}  // namespace

void matmul(Exec& exec, const View& x, const Weight& w, const View& y, const View& bias) {
  check(x, w.dtype(), w.shape(), bias);
  require(y.shape == Shape({x.rows(), w.out()}) && y.dtype == x.dtype, ErrorCode::shape, "[matmul] output ", y.shape,
          " of ", x.rows(), " rows and a weight ", w.shape());
  forward(exec, x, {w.value(), &w}, y, bias);  // with kept panels: in inference the weight is used many times
}

Var matmul(Tape& tape, Var x, const Weight& w, Var bias) {
  const View in = tape.value(x), b = value_or_empty(tape, bias);
  check(in, w.dtype(), w.shape(), b);
  const bool needs_grad = tape.any_needs_grad(x, bias) || !w.grad().empty();
  require(!needs_grad || w.format() == WeightFormat::f32, ErrorCode::unsupported, "[matmul] a weight in ",
          name_of(w.format()), " has no gradient: it is for inference alone; train with f32 weights");
  const Var y = tape.make(in.dtype, {in.rows(), w.out()}, needs_grad);
  const auto run = [x, bias, y, weight = &w](Tape& t) {
    Exec exec = exec_of(t);
    forward(exec, t.value(x), Factor::of(*weight), t.value(y), value_or_empty(t, bias));
  };
  run(tape);
  tape.record(
      "matmul", {y},
      [x, bias, y, weight = &w](Tape& t) {
        const GradSink dw(t, weight->grad());
        backward(t, x, Factor::of(*weight), dw.view(), bias, t.grad(y));
      },
      run);
  return y;
}

Var matmul(Tape& tape, Var x, Var w, Var bias) {
  const View in = tape.value(x), value = tape.value(w), b = value_or_empty(tape, bias);
  check(in, value.dtype, value.shape, b);
  const Var y = tape.make(in.dtype, {in.rows(), value.rows()}, tape.any_needs_grad(x, w, bias));
  const auto run = [x, w, bias, y](Tape& t) {
    Exec exec = exec_of(t);
    forward(exec, t.value(x), {t.value(w)}, t.value(y), value_or_empty(t, bias));
  };
  run(tape);
  tape.record(
      "matmul", {y},
      [x, w, bias, y](Tape& t) {
        const GradSink dw(t, w);
        backward(t, x, {t.value(w)}, dw.view(), bias, t.grad(y));
      },
      run);
  return y;
}

std::vector<OpCase> matmul_cases() {
  std::vector<OpCase> cases;
  const auto add = [&](const char* name, int64_t rows, int64_t in, int64_t out, bool bias, bool benchmark) {
    OpCase c{.op = "matmul", .name = name, .inputs = {{"x", {rows, in}}, {"w", {out, in}}}};
    if (bias) c.inputs.push_back({"bias", {out}});
    c.run = [](Tape& tape, const NamedVars& v) {
      const auto found = v.find("bias");
      return NamedVars{{"y", matmul(tape, v.at("x"), v.at("w"), found == v.end() ? Var{} : found->second)}};
    };
    c.advance = [](Exec& exec, const NamedViews& v, const View& y) {
      const auto weight = std::make_shared<Weight>();
      weight->bind(v.at("w"), {}, nullptr);
      const View x = v.at("x"), b = view_or_empty(v, "bias");
      if (y.dtype == DType::f32) static_cast<void>(weight->panels(exec));
      return [x, weight, y, b](Exec& e) { matmul(e, x, *weight, y, b); };
    };
    c.reduction = std::max({rows, in, out});
    c.flops = 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
    c.benchmark = benchmark;
    c.step = benchmark && rows <= 64;
    cases.push_back(c);
  };
  add("one_row", 1, 37, 33, true, false);
  add("few_rows", 5, 37, 50, false, false);
  add("odd", 130, 37, 130, true, false);
  add("narrow", 37, 130, 1, true, false);
  add("base_mlp", 2048, 384, 2272, false, true);  // gate and up of base-attention
  add("base_in", 2048, 384, 1676, false, true);   // in_proj of base-mamba2
  add("base_out", 2048, 768, 384, false, true);   // its out_proj
  add("base_step", 1, 384, 1676, false, true);
  add("base_step_16", 16, 384, 1676, false, true);
  return cases;
}

}  // namespace statera
