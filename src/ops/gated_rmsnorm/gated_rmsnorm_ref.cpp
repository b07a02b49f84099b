// The reference for gated_rmsnorm.md: plain loops, float or double.
#include <cmath>

#include "core/plain_math.hpp"
#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"

namespace statera {

namespace {
template <class T>
T sigmoid(T a) {
  return 1 / (1 + plain::exp(-a));
}
template <class T>
T silu(T a) {
  return a * sigmoid(a);
}
template <class T>
T silu_grad(T a) {
  return sigmoid(a) * (1 + a * (1 - sigmoid(a)));
}
template <class T>
void forward(const GatedRmsnormForward<T>& a, Exec&) noexcept {
  const bool gate_first = a.z && !a.norm_before_gate, gate_last = a.z && a.norm_before_gate;
  for (int64_t n = 0; n < a.rows; ++n)
    for (int64_t begin = 0; begin < a.channels; begin += a.group_size) {
      const T *x = a.x + n * a.x_stride, *z = a.z + n * a.z_stride;
      const auto weight = [&](int64_t c) { return a.weight ? a.weight[c] : 1; };
      const auto u = [&](int64_t c) { return gate_first ? x[c] * silu(z[c]) : x[c]; };
      T squares = 0;
      for (int64_t c = begin; c < begin + a.group_size; ++c) squares += u(c) * u(c);
      const T rrms = 1 / std::sqrt(squares / static_cast<T>(a.group_size) + static_cast<T>(a.eps));
      if (a.rrms) a.rrms[(n * a.channels + begin) / a.group_size] = rrms;
      for (int64_t c = begin; c < begin + a.group_size; ++c) {
        const T normed = u(c) * rrms * weight(c) + (a.bias ? a.bias[c] : 0);
        a.y[n * a.channels + c] = gate_last ? normed * silu(z[c]) : normed;
      }
    }
}

template <class T>
void backward(const GatedRmsnormBackward<T>& b, Exec&) noexcept {
  const GatedRmsnormForward<T>& a = b.in;
  const bool gate_first = a.z && !a.norm_before_gate, gate_last = a.z && a.norm_before_gate;
  for (int64_t c = 0; c < a.channels; ++c) {
    if (b.dweight) b.dweight[c] = 0;
    if (b.dbias) b.dbias[c] = 0;
  }
  for (int64_t n = 0; n < a.rows; ++n)
    for (int64_t begin = 0; begin < a.channels; begin += a.group_size) {
      const T *x = a.x + n * a.x_stride, *z = a.z + n * a.z_stride, *dy = b.dy + n * a.channels;
      const T rrms = a.rrms[(n * a.channels + begin) / a.group_size];
      const auto weight = [&](int64_t c) { return a.weight ? a.weight[c] : 1; };
      const auto v = [&](int64_t c) { return (gate_first ? x[c] * silu(z[c]) : x[c]) * rrms; };
      const auto dn = [&](int64_t c) { return gate_last ? dy[c] * silu(z[c]) : dy[c]; };
      T mean = 0;
      for (int64_t c = begin; c < begin + a.group_size; ++c)
        mean += dn(c) * weight(c) * v(c) / static_cast<T>(a.group_size);
      for (int64_t c = begin; c < begin + a.group_size; ++c) {
        const T du = rrms * (dn(c) * weight(c) - v(c) * mean);
        if (b.dx) b.dx[n * b.dx_stride + c] = gate_first ? du * silu(z[c]) : du;
        if (b.dz) {
          const T normed = v(c) * weight(c) + (a.bias ? a.bias[c] : 0);
          b.dz[n * b.dz_stride + c] = (gate_first ? du * x[c] : dy[c] * normed) * silu_grad(z[c]);
        }
        if (b.dweight) b.dweight[c] += dn(c) * v(c);
        if (b.dbias) b.dbias[c] += dn(c);
      }
    }
}
}  // namespace

const GatedRmsnormKernels<double> gated_rmsnorm_ref_f64{.forward = forward<double>, .backward = backward<double>};
const GatedRmsnormKernels<float> gated_rmsnorm_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
