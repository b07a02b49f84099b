// ssd: the state-space recurrence with one scalar decay per head (Mamba-2). See ssd.md, also for the symbols of the
// shapes. S: sequences.
#pragma once
#include <limits>

#include "core/rows.hpp"
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct SsdOptions {
  int64_t n_groups = 1;     // of B and C: head h uses group h / (H / G)
  int64_t chunk_size = 64;  // positions per chunk; changes speed and rounding, not the result
  bool dt_softplus = true;  // softplus of dt + dt_bias
  double dt_limit_min = 0, dt_limit_max = std::numeric_limits<double>::infinity();  // after softplus
};

template <class T>
struct SsdForward {
  const T *x, *dt, *B, *C;   // [N, H P], [N, H], [N, G d_state] twice, rows *_stride apart
  const T *A, *D, *dt_bias;  // [H]; [H], [H P] or null; [H] or null
  T* y;                      // [N, H P], dense
  const T* const* state_in;  // [S] pointers to [H, P, d_state]; null: zeros; not read where rows.start is 0
  T* const* state_out;       // [S] pointers to the new states; may be state_in
  Rows rows;
  int64_t n_heads, headdim, n_groups, d_state;  // H, P, G
  int64_t chunk_size, x_stride, dt_stride, B_stride, C_stride;
  T dt_min, dt_max;
  bool dt_softplus, D_per_channel;
};

template <class T>
struct SsdBackward {
  SsdForward<T> in;            // y, state_out unused
  const T* dy;                 // [N, H P], dense
  const T* const* dstate_out;  // [S] the gradients of the new states; null: zeros
  T *dx, *ddt, *dB, *dC;       // like the inputs, rows d*_stride apart; never null
  T *dA, *dD, *ddt_bias;       // like the inputs; never null if the input exists
  T* const* dstate_in;         // [S]; may be null
  int64_t dx_stride, ddt_stride, dB_stride, dC_stride;
};

template <class T>
struct SsdKernels {
  Kernel<void(const SsdForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const SsdBackward<T>&, Exec&) noexcept> backward;
};
extern const SsdKernels<double> ssd_ref_f64;
extern const SsdKernels<float> ssd_ref_f32, ssd_cpu;
inline constexpr Kernels<SsdKernels> ssd_kernels{
    .op = "ssd", .f64 = &ssd_ref_f64, .f32 = &ssd_ref_f32, .f32_cpu = &ssd_cpu};

template <class V>
struct SsdInputs {  // V is Var or View; D and dt_bias may be empty
  V x, dt, A, B, C, D, dt_bias;
};
struct SsdOut {
  Var y;     // [N, H P]
  Var last;  // [S, H, P, d_state]: the state after the last row of each sequence
};

// Training. `initial`: the states [S, H, P, d_state] before the first rows; empty: zeros. Throws ErrorCode::shape.
SsdOut ssd(Tape&, const SsdInputs<Var>&, Var initial, const Rows&, const SsdOptions&);
// Inference -> y [N, H P], dense. `states`: [S] pointers to [H, P, d_state] of the inputs' type, read and updated in
// place. Throws ErrorCode::shape.
void ssd(Exec&, const SsdInputs<View>&, const Rows&, const SsdOptions&, void* const* states, const View& y);

std::vector<OpCase> ssd_cases();

}  // namespace statera
