// dot_gate: how well two rows agree decides how much of a third one passes. See dot_gate.md.
#pragma once
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

template <class T>
struct DotGateForward {
  const T *q, *k, *v;                                             // [N, C], [N, C], [N, D], rows *_stride apart
  T* y;                                                           // [N, D], dense; may be v
  int64_t rows, compared, columns, q_stride, k_stride, v_stride;  // compared: C; columns: D
};

template <class T>
struct DotGateBackward {
  DotGateForward<T> in;  // y unused
  const T* dy;           // [N, D], dense
  T *dq, *dk, *dv;       // rows *_stride apart; each may be null
  int64_t dq_stride, dk_stride, dv_stride;
};

template <class T>
struct DotGateKernels {
  Kernel<void(const DotGateForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const DotGateBackward<T>&, Exec&) noexcept> backward;
};
extern const DotGateKernels<double> dot_gate_ref_f64;
extern const DotGateKernels<float> dot_gate_ref_f32, dot_gate_cpu;
inline constexpr Kernels<DotGateKernels> dot_gate_kernels{
    .op = "dot_gate", .f64 = &dot_gate_ref_f64, .f32 = &dot_gate_ref_f32, .f32_cpu = &dot_gate_cpu};

template <class V>
struct DotGateInputs {  // V is Var or View
  V q, k, v;            // [N, C], [N, C], [N, D]
};

// -> y [N, D] = sigmoid(q k / sqrt(C)) v. On Views, y is dense and may be v. Throws ErrorCode::shape.
void dot_gate(Exec&, const DotGateInputs<View>&, const View& y);
Var dot_gate(Tape&, const DotGateInputs<Var>&);

std::vector<OpCase> dot_gate_cases();

}  // namespace statera
