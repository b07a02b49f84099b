// The reference for routing.md, float or double.
#include <algorithm>
#include <cmath>

#include "ops/routing/routing.hpp"

namespace statera {

namespace {
template <class T>
struct Cosine {
  T q_norm, k_norm, value;
};

template <class T>
Cosine<T> cosine(const RoutingForward<T>& a, int64_t t) {
  const T *q = a.q + t * a.q_stride, *k = a.k + t * a.k_stride;
  T qq = 0, kk = 0, qk = 0;
  for (int64_t d = 0; d < a.width; ++d) qq += q[d] * q[d], kk += k[d] * k[d], qk += q[d] * k[d];
  const T q_norm = std::max(std::sqrt(qq), T(routing_eps)), k_norm = std::max(std::sqrt(kk), T(routing_eps));
  return {q_norm, k_norm, qk / (q_norm * k_norm)};
}

template <class T>
void forward(const RoutingForward<T>& a, Exec&) noexcept {
  FirstRows first{a.rows};
  for (int64_t t = 0; t < a.rows.total(); ++t)
    a.p[t] = first(t) ? T(1) : std::clamp((1 - cosine(a, t).value) / 2, T(0), T(1));
}

template <class T>
void backward(const RoutingBackward<T>& b, Exec&) noexcept {
  const RoutingForward<T>& a = b.in;
  FirstRows first{a.rows};
  for (int64_t t = 0; t < a.rows.total(); ++t) {
    const T *q = a.q + t * a.q_stride, *k = a.k + t * a.k_stride;
    const Cosine<T> c = cosine(a, t);
    const bool constant = first(t) || c.value > 1 || c.value < -1;
    const T g = constant ? 0 : -b.dp[t] / 2;
    const T q_own = c.q_norm > T(routing_eps) ? c.value / c.q_norm : 0,  // a norm at its bound is a constant
        k_own = c.k_norm > T(routing_eps) ? c.value / c.k_norm : 0;
    for (int64_t d = 0; d < a.width; ++d) {
      if (b.dq) b.dq[t * b.dq_stride + d] = g / c.q_norm * (k[d] / c.k_norm - q_own * q[d]);
      if (b.dk) b.dk[t * b.dk_stride + d] = g / c.k_norm * (q[d] / c.q_norm - k_own * k[d]);
    }
  }
}
}  // namespace

const RoutingKernels<double> routing_ref_f64{.forward = forward<double>, .backward = backward<double>};
const RoutingKernels<float> routing_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
