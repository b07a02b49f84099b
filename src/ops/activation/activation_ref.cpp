// The reference for activation.md: plain loops, float or double.
#include <cmath>
#include <numbers>

#include "core/plain_math.hpp"
#include "ops/activation/activation.hpp"

namespace statera {

namespace {
template <class T>
T sigmoid(T x) {
  return 1 / (1 + plain::exp(-x));
}
// P(Z < x) for a standard normal Z
template <class T>
T normal_below(T x) {
  return plain::erfc(-x / std::numbers::sqrt2_v<T>) / 2;
}
template <class T>
T normal_density(T x) {
  return plain::exp(-x * x / 2) * std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
}

// gelu_tanh(x) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)
template <class T>
T twice_u(T x) {
  return 2 * std::sqrt(2 / std::numbers::pi_v<T>) * (x + T(0.044715) * x * x * x);
}
template <class T>
T twice_u_slope(T x) {
  return 2 * std::sqrt(2 / std::numbers::pi_v<T>) * (1 + 3 * T(0.044715) * x * x);
}

template <class T>
T value(Activation f, T x) {
  switch (f) {
    case Activation::silu:
      return x * sigmoid(x);
    case Activation::gelu:
      return x * normal_below(x);
    case Activation::gelu_tanh:
      return x * sigmoid(twice_u(x));
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::squared_relu:
      return x < 0 ? 0 : x * x;
    case Activation::tanh:
      return plain::tanh(x);
    case Activation::sigmoid:
      return sigmoid(x);
  }
  return x;
}

template <class T>
T slope(Activation f, T x) {
  const T s = sigmoid(x), e = plain::exp(-std::abs(x));
  switch (f) {
    case Activation::silu:
      return s * (1 + x * (1 - s));
    case Activation::gelu:
      return normal_below(x) + x * normal_density(x);
    case Activation::gelu_tanh: {
      const T g = sigmoid(twice_u(x));
      return g + x * g * (1 - g) * twice_u_slope(x);
    }
    case Activation::relu:
      return x > 0 ? 1 : 0;
    case Activation::squared_relu:
      return x < 0 ? 0 : 2 * x;
    case Activation::tanh:
      return 4 * e * e / ((1 + e * e) * (1 + e * e));
    case Activation::sigmoid:
      return e / ((1 + e) * (1 + e));
  }
  return 1;
}

template <class T>
void forward(const ActivationForward<T>& a, Exec&) noexcept {
  for (int64_t n = 0; n < a.rows; ++n)
    for (int64_t c = 0; c < a.columns; ++c) {
      const T y = static_cast<T>(a.out) * value(a.f, static_cast<T>(a.in) * a.x[n * a.stride + c]);
      a.y[n * a.y_stride + c] = a.up ? y * a.up[n * a.stride + c] : y;
    }
}

template <class T>
void backward(const ActivationBackward<T>& b, Exec&) noexcept {
  const ActivationForward<T>& a = b.in;
  for (int64_t n = 0; n < a.rows; ++n)
    for (int64_t c = 0; c < a.columns; ++c) {
      const T x = static_cast<T>(a.in) * a.x[n * a.stride + c], dy = b.dy[n * a.columns + c];
      if (a.up) b.dup[n * b.dstride + c] = dy * value(a.f, x);
      b.dx[n * b.dstride + c] = dy * (a.up ? a.up[n * a.stride + c] : static_cast<T>(a.in * a.out)) * slope(a.f, x);
    }
}
}  // namespace

const ActivationKernels<double> activation_ref_f64{.forward = forward<double>, .backward = backward<double>};
const ActivationKernels<float> activation_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
