// The reference for causal_conv1d.md: plain loops, float or double.
#include <algorithm>
#include <cmath>

#include "core/plain_math.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "kernels/states.hpp"

namespace statera {

namespace {
template <class T>
T sigmoid(T a) {
  return 1 / (1 + plain::exp(-a));
}

// One sequence: its inputs xs[t], t = -(W-1) .. T-1, and the sums p[t].
template <class T>
struct Sequence {
  const CausalConv1dForward<T>& a;
  int64_t begin, length;
  const T* state;

  Sequence(const CausalConv1dForward<T>& a, int64_t s)
      : a(a), begin(a.rows.begin(s)), length(a.rows.length(s)), state(initial_state(a.state_in, a.rows, s)) {}
  T xs(int64_t t, int64_t c) const {
    if (t >= 0) return a.x[(begin + t) * a.x_stride + c];
    return state ? state[(a.width - 1 + t) * a.channels + c] : T(0);
  }
  T p(int64_t t, int64_t c) const {
    T sum = a.bias ? a.bias[c] : T(0);
    for (int64_t j = 0; j < a.width; ++j) sum += a.weight[c * a.width + j] * xs(t + j - (a.width - 1), c);
    return sum;
  }
};

template <class T>
void forward(const CausalConv1dForward<T>& a, Exec&) noexcept {
  for (int64_t s = 0; s < a.rows.sequences(); ++s) {
    const Sequence<T> seq(a, s);
    for (int64_t t = 0; t < seq.length; ++t)
      for (int64_t c = 0; c < a.channels; ++c) {
        const T p = seq.p(t, c);
        a.y[(seq.begin + t) * a.channels + c] = a.silu ? p * sigmoid(p) : p;
      }
    for (int64_t i = 0; i < a.width - 1; ++i)  // ascending: state_out may be state_in
      for (int64_t c = 0; c < a.channels; ++c)
        a.state_out[s][i * a.channels + c] = seq.xs(seq.length - (a.width - 1) + i, c);
  }
}

template <class T>
void backward(const CausalConv1dBackward<T>& b, Exec&) noexcept {
  const auto& a = b.in;
  const int64_t W = a.width, C = a.channels;
  if (b.dweight) std::fill_n(b.dweight, C * W, T(0));
  if (b.dbias) std::fill_n(b.dbias, C, T(0));
  for (int64_t s = 0; s < a.rows.sequences(); ++s) {
    const Sequence<T> seq(a, s);
    const auto g = [&](int64_t t, int64_t c) {
      if (t < 0 || t >= seq.length) return T(0);
      const T dy = b.dy[(seq.begin + t) * C + c];
      if (!a.silu) return dy;
      const T p = seq.p(t, c), sig = sigmoid(p);
      return dy * sig * (1 + p * (1 - sig));
    };
    for (int64_t c = 0; c < C; ++c) {
      for (int64_t t = 0; t < seq.length; ++t) {
        const T gt = g(t, c);
        if (b.dbias) b.dbias[c] += gt;
        for (int64_t j = 0; j < W && b.dweight; ++j) b.dweight[c * W + j] += gt * seq.xs(t + j - (W - 1), c);
      }
      for (int64_t t = -(W - 1); t < seq.length; ++t) {
        const int64_t place = t - seq.length + W - 1;  // of xs[t] in the new state
        T dxs = b.dstate_out && place >= 0 ? b.dstate_out[s][place * C + c] : T(0);
        for (int64_t j = 0; j < W; ++j) dxs += a.weight[c * W + j] * g(t + (W - 1) - j, c);
        if (t >= 0 && b.dx) b.dx[(seq.begin + t) * b.dx_stride + c] = dxs;
        if (t < 0 && b.dstate_in) b.dstate_in[s][(W - 1 + t) * C + c] = seq.state ? dxs : T(0);
      }
    }
  }
}
}  // namespace

const CausalConv1dKernels<double> causal_conv1d_ref_f64{.forward = forward<double>, .backward = backward<double>};
const CausalConv1dKernels<float> causal_conv1d_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
