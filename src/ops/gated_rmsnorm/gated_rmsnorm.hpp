// gated_rmsnorm: RMS norm over groups of channels, with a gate before it, after it, or none. See gated_rmsnorm.md.
#pragma once
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct GatedRmsnormOptions {
  int64_t group_size = 0;  // channels per group; 0: all
  double eps = 1e-5;
  bool norm_before_gate = true;
};

template <class T>
struct GatedRmsnormForward {
  const T *x, *z;          // [N, C], rows x_stride, z_stride apart; z may be null
  const T *weight, *bias;  // [C]; null: weights of 1, no bias
  T* y;                    // [N, C], dense
  T* rrms;                 // [N, C / group_size]: 1 / root mean square of each group, for backward; null: not kept
  int64_t rows, channels, group_size, x_stride, z_stride;
  double eps;
  bool norm_before_gate;
};

template <class T>
struct GatedRmsnormBackward {
  GatedRmsnormForward<T> in;  // y unused, rrms as forward kept it
  const T* dy;                // [N, C], dense
  T *dx, *dz;                 // [N, C], rows dx_stride, dz_stride apart; each may be null
  T *dweight, *dbias;         // [C]; each may be null
  int64_t dx_stride, dz_stride;
};

template <class T>
struct GatedRmsnormKernels {
  Kernel<void(const GatedRmsnormForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const GatedRmsnormBackward<T>&, Exec&) noexcept> backward;
};
extern const GatedRmsnormKernels<double> gated_rmsnorm_ref_f64;
extern const GatedRmsnormKernels<float> gated_rmsnorm_ref_f32, gated_rmsnorm_cpu;
inline constexpr Kernels<GatedRmsnormKernels> gated_rmsnorm_kernels{
    .op = "gated_rmsnorm", .f64 = &gated_rmsnorm_ref_f64, .f32 = &gated_rmsnorm_ref_f32, .f32_cpu = &gated_rmsnorm_cpu};

// x [N, C]; gate z [N, C] or empty; weight [C] or empty (1); bias [C] or empty (0) -> y [N, C], dense. Throws
// ErrorCode::shape if a shape does not fit or group_size does not divide C.
void gated_rmsnorm(Exec&, const View& x, const View& z, const View& weight, const View& bias,
                   const GatedRmsnormOptions&, const View& y);
Var gated_rmsnorm(Tape&, Var x, Var z, Var weight, Var bias, const GatedRmsnormOptions&);

std::vector<OpCase> gated_rmsnorm_cases();

}  // namespace statera
