// selective_scan: the state-space recurrence of Mamba-1, a decay for each channel and state. See selective_scan.md.
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
  const T* const* state_in;  // [S] of [D, d_state]; null: zeros; not read where rows.start is 0
  T* const* state_out;       // [S]; may be state_in
  T* kept;                   // [kept()] what forward leaves for backward; null where no gradient will be asked for
  Rows rows;
  int64_t channels, d_state, n_groups;  // D, G
  int64_t u_stride, delta_stride, z_stride, B_stride, C_stride;
  bool delta_softplus;
  const float* packed_A = nullptr;  // [packed()] A as pack() has laid it out; null: this call does it
};

template <class T>
struct SelectiveScanBackward {
  SelectiveScanForward<T> in;     // y, state_out unused; kept as forward left it
  const T* dy;                    // [N, D], dense
  const T* const* dstate_out;     // [S]; null: zeros
  T *du, *ddelta, *dz, *dB, *dC;  // like the inputs, rows d*_stride apart
  T *dA, *dD, *ddelta_bias;       // these and those before are never null where the input is there
  T* const* dstate_in;            // [S]; may be null
  int64_t du_stride, ddelta_stride, dz_stride, dB_stride, dC_stride;
};

template <class T>
struct SelectiveScanKernels {
  const char* name;
  int64_t (*kept)(const SelectiveScanForward<T>&) noexcept;  // how many numbers backward of these wants from forward
  // of A, channels, d_state, n_groups; 0: these read A as it is
  int64_t (*packed)(const SelectiveScanForward<T>&) noexcept;
  void (*pack)(const SelectiveScanForward<T>&, float* to, Exec&) noexcept;
  void (*forward)(const SelectiveScanForward<T>&, Exec&) noexcept;
  void (*backward)(const SelectiveScanBackward<T>&, Exec&) noexcept;
};
extern const SelectiveScanKernels<double> selective_scan_ref_f64;
extern const SelectiveScanKernels<float> selective_scan_ref_f32, selective_scan_cpu;
inline constexpr Kernels<SelectiveScanKernels> selective_scan_kernels{.op = "selective_scan",
                                                                      .f64 = &selective_scan_ref_f64,
                                                                      .f32 = &selective_scan_ref_f32,
                                                                      .f32_cpu = &selective_scan_cpu};

template <class V>
struct SelectiveScanInputs {  // of Var or View; D, z and delta_bias may be empty
  V u, delta, A, B, C, D, z, delta_bias;
  bool delta_softplus = true;  // after delta_bias
};
struct SelectiveScanOut {
  Var y;     // [N, D]
  Var last;  // [S, D, d_state]: the state after the last row of each sequence
};

// initial [S, D, d_state] or empty. Throws shape.
SelectiveScanOut selective_scan(Tape&, const SelectiveScanInputs<Var>&, Var initial, const Rows&);
// states: [S] pointers to [D, d_state] of the inputs' type, read and moved on. packed_A: see ScanA.
void selective_scan(Exec&, const SelectiveScanInputs<View>&, const Rows&, void* const* states, const View& y,
                    const float* packed_A = nullptr);

std::vector<OpCase> selective_scan_cases();

}  // namespace statera
