// dechunk: the results of an inner stack, smoothed, for the rows of the outer one. See dechunk.md.
#pragma once
#include "kernels/boundaries.hpp"
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

// What a result is multiplied by before it is added to the residual.
enum class Confidence { none, straight_through, plain };

template <class T>
struct DechunkForward {
  const T *z, *p, *residual;  // [M, D]; [N]; [N, D] or null; rows *_stride apart
  T* y;                       // [N, D], dense
  const T* const* state_in;   // [S] pointers to [D]; null: zeros; not read where outer.start is 0
  T* const* state_out;        // [S] pointers to the new states; may be state_in
  Rows outer;
  Boundaries cuts;
  int64_t width, z_stride, residual_stride;  // D
  Confidence confidence;
};

template <class T>
struct DechunkBackward {
  DechunkForward<T> in;        // y, state_out unused
  const T* dy;                 // [N, D], dense
  const T* const* dstate_out;  // [S] the gradients of the new states; null: zeros
  T *dz, *dp, *dresidual;      // like the inputs; each may be null
  T* const* dstate_in;         // [S]; may be null
  int64_t dz_stride, dresidual_stride;
};

template <class T>
struct DechunkKernels {
  Kernel<void(const DechunkForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const DechunkBackward<T>&, Exec&) noexcept> backward;
};
extern const DechunkKernels<double> dechunk_ref_f64;
extern const DechunkKernels<float> dechunk_ref_f32, dechunk_cpu;
inline constexpr Kernels<DechunkKernels> dechunk_kernels{
    .op = "dechunk", .f64 = &dechunk_ref_f64, .f32 = &dechunk_ref_f32, .f32_cpu = &dechunk_cpu};

// the weights of the smoothing are clamped to [eps, 1 - eps]
constexpr double dechunk_eps = 1e-4;

template <class V>
struct DechunkInputs {  // V is Var or View; residual may be empty
  V z, p, residual;
};
struct DechunkOut {
  Var y;     // [N, D]
  Var last;  // [S, D]: the state after the last row of each sequence
};

// Training. `initial`: the states [S, D] before the first rows; empty: zeros. `cuts` must live until the tape's
// reset(). Throws ErrorCode::shape.
DechunkOut dechunk(Tape&, const DechunkInputs<Var>&, Var initial, const Rows& outer, const Boundaries& cuts,
                   Confidence);
// Inference -> y [N, D], dense. `states`: [S] pointers to [D] of the inputs' type, read and updated in place. Throws
// ErrorCode::shape.
void dechunk(Exec&, const DechunkInputs<View>&, const Rows& outer, const Boundaries& cuts, Confidence,
             void* const* states, const View& y);

std::vector<OpCase> dechunk_cases();

}  // namespace statera
