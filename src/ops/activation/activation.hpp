// Element-wise activations, alone or as the gate of another value (GLU). See activation.md. A new one needs a name here
// and in activation_names(), its value and slope in activation_ref.cpp, and both again in vectors in
// activation_cpu.cpp.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

enum class Activation { silu, gelu, gelu_tanh, relu, squared_relu, tanh, sigmoid };

const std::vector<std::string_view>& activation_names();  // in the order of the enumeration
// Throws ErrorCode::config, with the known names, if there is none of this name; `where` is for the message.
Activation activation_named(const std::string& name, const std::string& where);

template <class T>
struct ActivationForward {
  Activation f;
  const T *x, *up;  // [N, C], rows `stride` apart; up is null without a gate
  T* y;             // [N, C], rows y_stride apart
  int64_t rows, columns, stride, y_stride;
  double in, out;  // y = out f(in x); both are 1 with a gate
};

template <class T>
struct ActivationBackward {
  ActivationForward<T> in;  // y unused
  const T* dy;              // [N, C], dense
  T *dx, *dup;              // [N, C], rows dstride apart; dup is null without a gate
  int64_t dstride;
};

template <class T>
struct ActivationKernels {
  Kernel<void(const ActivationForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const ActivationBackward<T>&, Exec&) noexcept> backward;
};
extern const ActivationKernels<double> activation_ref_f64;
extern const ActivationKernels<float> activation_ref_f32, activation_cpu;
inline constexpr Kernels<ActivationKernels> activation_kernels{
    .op = "activation", .f64 = &activation_ref_f64, .f32 = &activation_ref_f32, .f32_cpu = &activation_cpu};

// gate_up [N, 2 C], the gate first -> y [N, C] = f(gate) up. Throws ErrorCode::shape for an odd width, or if y does not
// fit or is not dense.
void glu(Exec&, Activation f, const View& gate_up, const View& y);
Var glu(Tape&, Activation f, Var gate_up);

struct ActivationFactors {
  double in = 1, out = 1;
};

// x [N, C] -> y [N, C] = out f(in x). On Views, y may be x. Throws ErrorCode::shape if y does not fit.
void activate(Exec&, Activation f, const View& x, const View& y, const ActivationFactors& factors = {});
Var activate(Tape&, Activation f, Var x, const ActivationFactors& factors = {});

std::vector<OpCase> activation_cases();

}  // namespace statera
