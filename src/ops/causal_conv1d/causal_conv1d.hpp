// causal_conv1d: a short causal filter along each channel, then SiLU. See causal_conv1d.md. W: taps of the filter; S:
// sequences.
#pragma once
#include "core/rows.hpp"
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

template <class T>
struct CausalConv1dForward {
  const T *x, *weight, *bias;  // [N, C], rows x_stride apart; [C, W]; [C] or null
  T* y;                        // [N, C], dense
  const T* const* state_in;    // [S] pointers to [W-1, C]; null: zeros; not read where rows.start is 0
  T* const* state_out;         // [S] pointers to the new states; may be state_in
  Rows rows;
  int64_t channels, width, x_stride;
  bool silu;
};

template <class T>
struct CausalConv1dBackward {
  CausalConv1dForward<T> in;   // y, state_out unused
  const T* dy;                 // [N, C], dense
  const T* const* dstate_out;  // [S] the gradients of the new states; null: zeros
  T *dx, *dweight, *dbias;     // [N, C], rows dx_stride apart; [C, W]; [C]; each may be null
  T* const* dstate_in;         // [S]; may be null
  int64_t dx_stride;
};

template <class T>
struct CausalConv1dKernels {
  Kernel<void(const CausalConv1dForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const CausalConv1dBackward<T>&, Exec&) noexcept> backward;
};
extern const CausalConv1dKernels<double> causal_conv1d_ref_f64;
extern const CausalConv1dKernels<float> causal_conv1d_ref_f32, causal_conv1d_cpu;
inline constexpr Kernels<CausalConv1dKernels> causal_conv1d_kernels{
    .op = "causal_conv1d", .f64 = &causal_conv1d_ref_f64, .f32 = &causal_conv1d_ref_f32, .f32_cpu = &causal_conv1d_cpu};

template <class V>
struct CausalConv1dInputs {  // V is Var or View
  V x, weight, bias;         // [N, C], [C, W], [C] or empty
  bool silu = true;
};
struct CausalConv1dOut {
  Var y;     // [N, C]
  Var last;  // [S, W-1, C]: the state after the last row of each sequence
};

// Training. `initial`: the states [S, W-1, C] before the first rows; empty: zeros. Throws ErrorCode::shape.
CausalConv1dOut causal_conv1d(Tape&, const CausalConv1dInputs<Var>&, Var initial, const Rows&);
// Inference -> y [N, C], dense. `states`: [S] pointers to [W-1, C] of the inputs' type, read and updated in place.
// Throws ErrorCode::shape.
void causal_conv1d(Exec&, const CausalConv1dInputs<View>&, const Rows&, void* const* states, const View& y);

std::vector<OpCase> causal_conv1d_cases();

}  // namespace statera
