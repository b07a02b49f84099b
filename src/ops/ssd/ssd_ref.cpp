// The reference for ssd.md: the recurrence, position by position, float or double.
#include <algorithm>
#include <cmath>

#include "core/plain_math.hpp"
#include "ops/ssd/ssd.hpp"
#include "kernels/states.hpp"

namespace statera {

namespace {
// dt after bias, softplus and clamp, and its derivative with respect to the input.
template <class T>
struct Dt {
  T value, slope;
};

template <class T>
Dt<T> find_dt(const SsdForward<T>& a, int64_t t, int64_t h) {
  const T raw = a.dt[t * a.dt_stride + h] + (a.dt_bias ? a.dt_bias[h] : 0);
  const T dt = a.dt_softplus ? std::max(raw, T(0)) + plain::log1p(plain::exp(-std::abs(raw))) : raw;
  if (dt < a.dt_min) return {a.dt_min, 0};
  if (dt > a.dt_max) return {a.dt_max, 0};
  return {dt, a.dt_softplus ? 1 / (1 + plain::exp(-raw)) : T(1)};
}

template <class T>
T skip(const SsdForward<T>& a, int64_t h, int64_t p) {
  return !a.D ? 0 : a.D_per_channel ? a.D[h * a.headdim + p] : a.D[h];
}

// Copies the initial state of a head, [P, d_state].
template <class T>
void load_state(const SsdForward<T>& a, int64_t s, int64_t h, T* state) {
  const int64_t size = a.headdim * a.d_state;
  const T* initial = initial_state(a.state_in, a.rows, s);
  for (int64_t i = 0; i < size; ++i) state[i] = initial ? initial[h * size + i] : 0;
}

// The state of head h after row t; `after` may be `before`.
template <class T>
void step(const SsdForward<T>& a, int64_t t, int64_t h, const T* before, T* after) {
  const int64_t g = h / (a.n_heads / a.n_groups);
  const T *x = a.x + t * a.x_stride + h * a.headdim, *B = a.B + t * a.B_stride + g * a.d_state;
  const T dt = find_dt(a, t, h).value, decay = plain::exp(dt * a.A[h]);
  for (int64_t p = 0; p < a.headdim; ++p)
    for (int64_t n = 0; n < a.d_state; ++n)
      after[p * a.d_state + n] = decay * before[p * a.d_state + n] + dt * x[p] * B[n];
}

template <class T>
void forward(const SsdForward<T>& a, Exec&) noexcept {
  for (int64_t s = 0; s < a.rows.sequences(); ++s)
    for (int64_t h = 0; h < a.n_heads; ++h) {
      const int64_t g = h / (a.n_heads / a.n_groups);
      T* state = a.state_out[s] + h * a.headdim * a.d_state;
      load_state(a, s, h, state);
      for (int64_t t = a.rows.begin(s); t < a.rows.begin(s) + a.rows.length(s); ++t) {
        step(a, t, h, state, state);
        const T *x = a.x + t * a.x_stride + h * a.headdim, *C = a.C + t * a.C_stride + g * a.d_state;
        for (int64_t p = 0; p < a.headdim; ++p) {
          T y = skip(a, h, p) * x[p];
          for (int64_t n = 0; n < a.d_state; ++n) y += state[p * a.d_state + n] * C[n];
          a.y[(t * a.n_heads + h) * a.headdim + p] = y;
        }
      }
    }
}

// One head of one sequence. states [T + 1, P, d_state], before the first row and after each, and dstate [P, d_state]
// are scratch memory.
template <class T>
void backward_head(const SsdBackward<T>& b, int64_t s, int64_t h, T* states, T* dstate) {
  const SsdForward<T>& a = b.in;
  const int64_t size = a.headdim * a.d_state, g = h / (a.n_heads / a.n_groups), begin = a.rows.begin(s),
                length = a.rows.length(s);
  load_state(a, s, h, states);
  for (int64_t i = 0; i < length; ++i) step(a, begin + i, h, states + i * size, states + (i + 1) * size);
  for (int64_t i = 0; i < size; ++i) dstate[i] = b.dstate_out ? b.dstate_out[s][h * size + i] : 0;
  for (int64_t i = length; i-- > 0;) {
    const int64_t t = begin + i;
    const Dt<T> dt = find_dt(a, t, h);
    const T decay = plain::exp(dt.value * a.A[h]), *before = states + i * size, *after = before + size;
    const T *x = a.x + t * a.x_stride + h * a.headdim, *dy = b.dy + (t * a.n_heads + h) * a.headdim;
    const T *B = a.B + t * a.B_stride + g * a.d_state, *C = a.C + t * a.C_stride + g * a.d_state;
    T *dx = b.dx + t * b.dx_stride + h * a.headdim, *dB = b.dB + t * b.dB_stride + g * a.d_state,
      *dC = b.dC + t * b.dC_stride + g * a.d_state;
    T ddecay = 0, ddt = 0;
    for (int64_t p = 0; p < a.headdim; ++p) {
      dx[p] = skip(a, h, p) * dy[p];
      if (a.D) b.dD[a.D_per_channel ? h * a.headdim + p : h] += dy[p] * x[p];
      for (int64_t n = 0; n < a.d_state; ++n) {
        const int64_t at = p * a.d_state + n;
        dC[n] += after[at] * dy[p];
        dstate[at] += dy[p] * C[n];
        ddecay += dstate[at] * before[at];
        ddt += dstate[at] * x[p] * B[n];
        dx[p] += dstate[at] * dt.value * B[n];
        dB[n] += dstate[at] * dt.value * x[p];
        dstate[at] *= decay;
      }
    }
    ddt = (ddt + ddecay * decay * a.A[h]) * dt.slope;
    b.dA[h] += ddecay * decay * dt.value;
    b.ddt[t * b.ddt_stride + h] = ddt;
    if (a.dt_bias) b.ddt_bias[h] += ddt;
  }
  if (b.dstate_in) {
    const bool used = initial_state(a.state_in, a.rows, s);
    for (int64_t i = 0; i < size; ++i) b.dstate_in[s][h * size + i] = used ? dstate[i] : 0;
  }
}

template <class T>
void backward(const SsdBackward<T>& b, Exec& exec) noexcept {
  const SsdForward<T>& a = b.in;
  const int64_t size = a.headdim * a.d_state;
  for (int64_t t = 0; t < a.rows.total(); ++t) {
    std::fill_n(b.dB + t * b.dB_stride, a.n_groups * a.d_state, T(0));
    std::fill_n(b.dC + t * b.dC_stride, a.n_groups * a.d_state, T(0));
  }
  std::fill_n(b.dA, a.n_heads, T(0));
  if (a.D) std::fill_n(b.dD, a.D_per_channel ? a.n_heads * a.headdim : a.n_heads, T(0));
  if (a.dt_bias) std::fill_n(b.ddt_bias, a.n_heads, T(0));
  for (int64_t s = 0; s < a.rows.sequences(); ++s) {
    const ArenaScope scope(exec.scratch);
    T* states = exec.scratch.allocate_array<T>((a.rows.length(s) + 1) * size);
    T* dstate = exec.scratch.allocate_array<T>(size);
    for (int64_t h = 0; h < a.n_heads; ++h) backward_head(b, s, h, states, dstate);
  }
}
}  // namespace

const SsdKernels<double> ssd_ref_f64{.forward = forward<double>, .backward = backward<double>};
const SsdKernels<float> ssd_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
