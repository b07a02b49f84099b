// selective_scan: the state-space recurrence of Mamba-1, with one decay per channel and state. See selective_scan.md.
// S: sequences.
#pragma once
#include "core/rows.hpp"
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

template <class T>
struct SelectiveScanForward {
  const T *u, *delta, *z;    // [N, D], rows *_stride apart; z may be null: no gate
  const T *A, *B, *C;        // [D, d_state]; [N, G d_state] twice, rows B_stride and C_stride apart
  const T *D, *delta_bias;   // [D] or null
  T* y;                      // [N, D], dense
  const T* const* state_in;  // [S] pointers to [D, d_state]; null: zeros; not read where rows.start is 0
  T* const* state_out;       // [S] pointers to the new states; may be state_in
  T* kept;                   // [kept()]: what forward keeps for backward; null if there will be no backward
  Rows rows;
  int64_t channels, d_state, n_groups;  // D, G
  int64_t u_stride, delta_stride, z_stride, B_stride, C_stride;
  bool delta_softplus;
  const float* packed_A = nullptr;  // [packed()]: A as pack() has written it; null: the call packs A itself
};

template <class T>
struct SelectiveScanBackward {
  SelectiveScanForward<T> in;     // y, state_out unused; kept as forward left it
  const T* dy;                    // [N, D], dense
  const T* const* dstate_out;     // [S] the gradients of the new states; null: zeros
  T *du, *ddelta, *dz, *dB, *dC;  // like the inputs, rows d*_stride apart; never null if the input exists
  T *dA, *dD, *ddelta_bias;       // like the inputs; never null if the input exists
  T* const* dstate_in;            // [S]; may be null
  int64_t du_stride, ddelta_stride, dz_stride, dB_stride, dC_stride;
};

template <class T>
struct SelectiveScanKernels {
  Kernel<int64_t(const SelectiveScanForward<T>&) noexcept> kept;  // how many numbers forward must keep for backward
  // How many floats pack() writes. 0: these kernels read A as it is. Both use only A, channels, d_state and n_groups.
  Kernel<int64_t(const SelectiveScanForward<T>&) noexcept> packed;
  void (*pack)(const SelectiveScanForward<T>&, float* to, Exec&) noexcept;  // null where packed() is 0
  Kernel<void(const SelectiveScanForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const SelectiveScanBackward<T>&, Exec&) noexcept> backward;
};
extern const SelectiveScanKernels<double> selective_scan_ref_f64;
extern const SelectiveScanKernels<float> selective_scan_ref_f32, selective_scan_cpu;
inline constexpr Kernels<SelectiveScanKernels> selective_scan_kernels{.op = "selective_scan",
                                                                      .f64 = &selective_scan_ref_f64,
                                                                      .f32 = &selective_scan_ref_f32,
                                                                      .f32_cpu = &selective_scan_cpu};

template <class V>
struct SelectiveScanInputs {  // V is Var or View; D, z and delta_bias may be empty
  V u, delta, A, B, C, D, z, delta_bias;
  bool delta_softplus = true;  // softplus of delta + delta_bias
};
struct SelectiveScanOut {
  Var y;     // [N, D]
  Var last;  // [S, D, d_state]: the state after the last row of each sequence
};

// Training. `initial`: the states [S, D, d_state] before the first rows; empty: zeros. Throws ErrorCode::shape.
SelectiveScanOut selective_scan(Tape&, const SelectiveScanInputs<Var>&, Var initial, const Rows&);
// Inference -> y [N, D], dense. `states`: [S] pointers to [D, d_state] of the inputs' type, read and updated in place.
// packed_A: see SelectiveScanForward. Throws ErrorCode::shape.
void selective_scan(Exec&, const SelectiveScanInputs<View>&, const Rows&, void* const* states, const View& y,
                    const float* packed_A = nullptr);

std::vector<OpCase> selective_scan_cases();

}  // namespace statera
