// The reference for dot_gate.md: plain loops, float or double.
#include <cmath>

#include "core/plain_math.hpp"
#include "ops/dot_gate/dot_gate.hpp"

namespace statera {

namespace {
template <class T>
T gate(const DotGateForward<T>& a, int64_t n) {
  T sum = 0;
  for (int64_t c = 0; c < a.compared; ++c) sum += a.q[n * a.q_stride + c] * a.k[n * a.k_stride + c];
  return 1 / (1 + plain::exp(-sum / std::sqrt(static_cast<T>(a.compared))));
}

template <class T>
void forward(const DotGateForward<T>& a, Exec&) noexcept {
  for (int64_t n = 0; n < a.rows; ++n) {
    const T g = gate(a, n);
    for (int64_t d = 0; d < a.columns; ++d) a.y[n * a.columns + d] = g * a.v[n * a.v_stride + d];
  }
}

template <class T>
void backward(const DotGateBackward<T>& b, Exec&) noexcept {
  const DotGateForward<T>& a = b.in;
  for (int64_t n = 0; n < a.rows; ++n) {
    const T g = gate(a, n);
    T dg = 0;
    for (int64_t d = 0; d < a.columns; ++d) dg += b.dy[n * a.columns + d] * a.v[n * a.v_stride + d];
    const T e = dg * g * (1 - g) / std::sqrt(static_cast<T>(a.compared));
    if (b.dv)
      for (int64_t d = 0; d < a.columns; ++d) b.dv[n * b.dv_stride + d] = g * b.dy[n * a.columns + d];
    for (int64_t c = 0; c < a.compared; ++c) {
      if (b.dq) b.dq[n * b.dq_stride + c] = e * a.k[n * a.k_stride + c];
      if (b.dk) b.dk[n * b.dk_stride + c] = e * a.q[n * a.q_stride + c];
    }
  }
}
}  // namespace

const DotGateKernels<double> dot_gate_ref_f64{.forward = forward<double>, .backward = backward<double>};
const DotGateKernels<float> dot_gate_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
