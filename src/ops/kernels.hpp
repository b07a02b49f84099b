// How an operation finds its kernels. Every operation has a table of function pointers per element type:
//
//   template <class T> struct ActivationKernels { const char* name; void (*forward)(const ActivationForward<T>&,
//   Exec&); ... }; extern const ActivationKernels<double> activation_ref_f64;   // double is reference by definition
//   extern const ActivationKernels<float> activation_ref_f32, activation_cpu;
//
// and picks one with pick<T>(exec, ref_f64, ref_f32, cpu).
#pragma once
#include <type_traits>

#include "core/exec.hpp"
#include "statera/error.hpp"
#include "statera/tape.hpp"

namespace statera {

template <class T, class Ref64, class Ref32, class Fast>
const auto& pick(const Exec& exec, const Ref64& ref_f64, const Ref32& ref_f32, const Fast& fast) {
  if constexpr (std::is_same_v<T, double>)
    return ref_f64;
  else
    return exec.kernels == KernelChoice::fast ? fast : ref_f32;
}

// Calls f with a value of the element type: dispatch(dtype, [&](auto zero) { using T = decltype(zero); ... }).
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  if (dtype == DType::f64) return f(double{});
  if (dtype == DType::f32) return f(float{});
  throw Error(ErrorCode::unsupported, "[dispatch] activations are f32 or f64");
}

// For kernels that add to a gradient: where it is, zeroed if nothing has arrived yet. Empty: nobody needs it.
inline View sum_target(Tape& tape, Var var) {
  const GradTarget target = tape.target(var);
  if (!target.view.empty() && !target.accumulate) fill_zero(target.view);
  return target.view;
}

}  // namespace statera
