// The reference for dechunk.md, row by row, float or double.
#include <algorithm>

#include "kernels/states.hpp"
#include "ops/dechunk/dechunk.hpp"

namespace statera {

namespace {
template <class T>
T weight(T p) {
  return std::clamp(p, T(dechunk_eps), 1 - T(dechunk_eps));
}

template <class T>
T factor(const DechunkForward<T>& a, int64_t t) {
  return a.confidence == Confidence::plain ? std::max(a.p[t], 1 - a.p[t]) : T(1);
}

template <class T>
const T* inner(const DechunkForward<T>& a, int64_t t) {  // z_j of the cut at row t
  return a.z + a.cuts.inner_row[static_cast<size_t>(t)] * a.z_stride;
}

template <class T>
void forward(const DechunkForward<T>& a, Exec&) noexcept {
  for (int64_t s = 0; s < a.outer.sequences(); ++s) {
    const T* initial = initial_state(a.state_in, a.outer, s);
    T* state = a.state_out[s];
    for (int64_t d = 0; d < a.width; ++d) state[d] = initial ? initial[d] : 0;
    for (int64_t t = a.outer.begin(s); t < a.outer.begin(s) + a.outer.length(s); ++t) {
      const T w = weight(a.p[t]);
      for (int64_t d = 0; d < a.width; ++d) {
        if (a.cuts.cut(t)) state[d] = w * inner(a, t)[d] + (1 - w) * state[d];
        a.y[t * a.width + d] = factor(a, t) * state[d] + (a.residual ? a.residual[t * a.residual_stride + d] : 0);
      }
    }
  }
}

// One sequence. states [T + 1, D], before the first row and after each, and g [D] are scratch memory.
template <class T>
void backward_sequence(const DechunkBackward<T>& b, int64_t s, T* states, T* g) {
  const DechunkForward<T>& a = b.in;
  const int64_t begin = a.outer.begin(s), length = a.outer.length(s), D = a.width;
  const T* initial = initial_state(a.state_in, a.outer, s);
  for (int64_t d = 0; d < D; ++d) {
    states[d] = initial ? initial[d] : 0;
    g[d] = b.dstate_out ? b.dstate_out[s][d] : 0;
    for (int64_t i = 0; i < length; ++i) {
      const T w = weight(a.p[begin + i]);
      states[(i + 1) * D + d] =
          a.cuts.cut(begin + i) ? w * inner(a, begin + i)[d] + (1 - w) * states[i * D + d] : states[i * D + d];
    }
  }
  for (int64_t i = length; i-- > 0;) {
    const int64_t t = begin + i;
    const T w = weight(a.p[t]), *dy = b.dy + t * D, *before = states + i * D, *after = before + D;
    T dc = 0, dw = 0;
    for (int64_t d = 0; d < D; ++d) {
      dc += dy[d] * after[d];
      g[d] += factor(a, t) * dy[d];
      if (b.dresidual) b.dresidual[t * b.dresidual_stride + d] = dy[d];
      if (!a.cuts.cut(t)) continue;
      dw += g[d] * (inner(a, t)[d] - before[d]);
      if (b.dz) b.dz[a.cuts.inner_row[static_cast<size_t>(t)] * b.dz_stride + d] = w * g[d];
      g[d] *= 1 - w;
    }
    if (a.confidence == Confidence::none) dc = 0;
    if (b.dp) b.dp[t] = (a.p[t] > T(0.5) ? dc : -dc) + (w == a.p[t] ? dw : 0);
  }
  for (int64_t d = 0; b.dstate_in && d < D; ++d) b.dstate_in[s][d] = initial ? g[d] : 0;
}

template <class T>
void backward(const DechunkBackward<T>& b, Exec& exec) noexcept {
  const DechunkForward<T>& a = b.in;
  for (int64_t s = 0; s < a.outer.sequences(); ++s) {
    const ArenaScope scope(exec.scratch);
    T* states = exec.scratch.allocate_array<T>((a.outer.length(s) + 1) * a.width);
    backward_sequence(b, s, states, exec.scratch.allocate_array<T>(a.width));
  }
}
}  // namespace

const DechunkKernels<double> dechunk_ref_f64{.forward = forward<double>, .backward = backward<double>};
const DechunkKernels<float> dechunk_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
