// The reference for selective_scan.md: the recurrence channel by channel, float or double.
#include <algorithm>
#include <cmath>

#include "core/plain_math.hpp"
#include "ops/selective_scan/selective_scan.hpp"
#include "kernels/states.hpp"

namespace statera {

namespace {
template <class T>
T sigmoid(T a) {
  return 1 / (1 + plain::exp(-a));
}
template <class T>
T softplus(T a) {
  return std::max(a, T(0)) + plain::log1p(plain::exp(-std::abs(a)));
}

// The inputs of one channel at one row.
template <class T>
struct At {
  T raw, dt, u;
  const T *A, *B, *C;  // [d_state]
  At(const SelectiveScanForward<T>& a, int64_t row, int64_t d) {
    const int64_t group = d / (a.channels / a.n_groups);
    raw = a.delta[row * a.delta_stride + d] + (a.delta_bias ? a.delta_bias[d] : T(0));
    dt = a.delta_softplus ? softplus(raw) : raw;
    u = a.u[row * a.u_stride + d];
    A = a.A + d * a.d_state;
    B = a.B + row * a.B_stride + group * a.d_state;
    C = a.C + row * a.C_stride + group * a.d_state;
  }
  T next(T h, int64_t n) const { return plain::exp(dt * A[n]) * h + dt * B[n] * u; }
};

template <class T>
void forward(const SelectiveScanForward<T>& a, Exec&) noexcept {
  for (int64_t s = 0; s < a.rows.sequences(); ++s)
    for (int64_t d = 0; d < a.channels; ++d) {
      const T* before = initial_state(a.state_in, a.rows, s);
      T* h = a.state_out[s] + d * a.d_state;
      for (int64_t n = 0; n < a.d_state; ++n) h[n] = before ? before[d * a.d_state + n] : T(0);
      for (int64_t row = a.rows.begin(s); row < a.rows.begin(s) + a.rows.length(s); ++row) {
        const At<T> at(a, row, d);
        T p = a.D ? a.D[d] * at.u : T(0);
        for (int64_t n = 0; n < a.d_state; ++n) {
          h[n] = at.next(h[n], n);
          p += at.C[n] * h[n];
        }
        const T z = a.z ? a.z[row * a.z_stride + d] : T(0);
        a.y[row * a.channels + d] = a.z ? p * z * sigmoid(z) : p;
      }
    }
}

// The reference keeps nothing for backward, and packs nothing.
template <class T>
int64_t nothing(const SelectiveScanForward<T>&) noexcept {
  return 0;
}

// One channel of one sequence. h [T+1, d_state], the states before the first row and after each, and dh [d_state] are
// scratch memory.
template <class T>
void channel_backward(const SelectiveScanBackward<T>& b, int64_t s, int64_t d, T* h, T* dh) {
  const auto& a = b.in;
  const int64_t N = a.d_state, length = a.rows.length(s), group = d / (a.channels / a.n_groups);
  const T* before = initial_state(a.state_in, a.rows, s);
  for (int64_t n = 0; n < N; ++n) {
    h[n] = before ? before[d * N + n] : T(0);
    dh[n] = b.dstate_out ? b.dstate_out[s][d * N + n] : T(0);
  }
  for (int64_t t = 0; t < length; ++t)
    for (int64_t n = 0; n < N; ++n) h[(t + 1) * N + n] = At<T>(a, a.rows.begin(s) + t, d).next(h[t * N + n], n);
  for (int64_t t = length; t-- > 0;) {
    const int64_t row = a.rows.begin(s) + t;
    const At<T> at(a, row, d);
    const T* now = h + (t + 1) * N;
    const T* past = h + t * N;
    T dp = b.dy[row * a.channels + d];
    if (a.z) {
      T p = a.D ? a.D[d] * at.u : T(0);
      for (int64_t n = 0; n < N; ++n) p += at.C[n] * now[n];
      const T z = a.z[row * a.z_stride + d], sig = sigmoid(z);
      b.dz[row * b.dz_stride + d] = dp * p * sig * (1 + z * (1 - sig));
      dp *= z * sig;
    }
    T sum_B = 0, sum_A = 0;
    for (int64_t n = 0; n < N; ++n) {
      dh[n] += dp * at.C[n];
      b.dC[row * b.dC_stride + group * N + n] += dp * now[n];
      b.dB[row * b.dB_stride + group * N + n] += dh[n] * at.dt * at.u;
      sum_B += dh[n] * at.B[n];
      dh[n] *= plain::exp(at.dt * at.A[n]);
      b.dA[d * N + n] += dh[n] * past[n] * at.dt;
      sum_A += dh[n] * past[n] * at.A[n];
    }
    b.du[row * b.du_stride + d] = (a.D ? dp * a.D[d] : T(0)) + at.dt * sum_B;
    const T ddelta = (at.u * sum_B + sum_A) * (a.delta_softplus ? sigmoid(at.raw) : T(1));
    b.ddelta[row * b.ddelta_stride + d] = ddelta;
    if (b.ddelta_bias) b.ddelta_bias[d] += ddelta;
    if (b.dD) b.dD[d] += dp * at.u;
  }
  for (int64_t n = 0; n < N && b.dstate_in; ++n) b.dstate_in[s][d * N + n] = before ? dh[n] : T(0);
}

template <class T>
void backward(const SelectiveScanBackward<T>& b, Exec& exec) noexcept {
  const auto& a = b.in;
  int64_t longest = 0;
  for (int64_t s = 0; s < a.rows.sequences(); ++s) longest = std::max(longest, a.rows.length(s));
  const ArenaScope scope(exec.scratch);
  T* h = exec.scratch.allocate_array<T>((longest + 1) * a.d_state);
  T* dh = exec.scratch.allocate_array<T>(a.d_state);
  std::fill_n(b.dA, a.channels * a.d_state, T(0));
  if (b.dD) std::fill_n(b.dD, a.channels, T(0));
  if (b.ddelta_bias) std::fill_n(b.ddelta_bias, a.channels, T(0));
  for (int64_t row = 0; row < a.rows.total(); ++row) {
    std::fill_n(b.dB + row * b.dB_stride, a.n_groups * a.d_state, T(0));
    std::fill_n(b.dC + row * b.dC_stride, a.n_groups * a.d_state, T(0));
  }
  for (int64_t s = 0; s < a.rows.sequences(); ++s)
    for (int64_t d = 0; d < a.channels; ++d) channel_backward(b, s, d, h, dh);
}
}  // namespace

const SelectiveScanKernels<double> selective_scan_ref_f64{.kept = nothing<double>,
                                                          .packed = nothing<double>,
                                                          .pack = nullptr,
                                                          .forward = forward<double>,
                                                          .backward = backward<double>};
const SelectiveScanKernels<float> selective_scan_ref_f32{.kept = nothing<float>,
                                                         .packed = nothing<float>,
                                                         .pack = nullptr,
                                                         .forward = forward<float>,
                                                         .backward = backward<float>};

}  // namespace statera
