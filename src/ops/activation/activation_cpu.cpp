// Activations in vectors: a task is a range of rows.
#include <algorithm>

#include "ops/activation/activation.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/activation/activation_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

using D = LanesTag;
using V = LanesVec;

// max(x, 0); a NaN stays a NaN.
HWY_INLINE V Positive(D d, V x) { return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x); }

// One struct per activation: its value and its slope (activation.md).
struct SiluOf {
  static HWY_INLINE V Value(D d, V x) { return Silu(d, x); }
  static HWY_INLINE V Slope(D d, V x) { return SiluGrad(d, x); }
};
struct GeluOf {  // e = exp(-x^2 / 2); the density of a standard normal is 0.3989 e
  static HWY_INLINE V Value(D d, V x) {
    V e;
    return hn::Mul(x, NormalBelow(d, x, e));
  }
  static HWY_INLINE V Slope(D d, V x) {
    V e;
    const V below = NormalBelow(d, x, e);
    return hn::MulAdd(hn::Mul(x, e), hn::Set(d, 0.398942280f), below);
  }
};
struct GeluTanhOf {  // x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3), which equals the form with tanh(u)
  static constexpr float scale = 1.59576912f, cubic = 0.044715f;
  static HWY_INLINE V TwiceU(D d, V x) {
    return hn::Mul(hn::Mul(x, hn::Set(d, scale)), hn::MulAdd(hn::Mul(x, x), hn::Set(d, cubic), hn::Set(d, 1.0f)));
  }
  static HWY_INLINE V Value(D d, V x) { return hn::Mul(x, Sigmoid(d, TwiceU(d, x))); }
  static HWY_INLINE V Slope(D d, V x) {  // s (1 + x (1 - s) (2 u)'); 1 - s is e s, as in SiluGrad
    const V one = hn::Set(d, 1.0f), e = Exp(d, hn::Neg(TwiceU(d, x))), s = hn::Div(one, hn::Add(one, e));
    const V u_slope = hn::Mul(hn::Set(d, scale), hn::MulAdd(hn::Mul(x, x), hn::Set(d, 3 * cubic), one));
    return hn::Mul(s, hn::MulAdd(hn::Mul(x, u_slope), hn::Mul(e, s), one));
  }
};
struct ReluOf {
  static HWY_INLINE V Value(D d, V x) { return Positive(d, x); }
  static HWY_INLINE V Slope(D d, V x) { return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), hn::Set(d, 1.0f)); }
};
struct SquaredReluOf {
  static HWY_INLINE V Value(D d, V x) { return hn::Mul(Positive(d, x), Positive(d, x)); }
  static HWY_INLINE V Slope(D d, V x) { return hn::Mul(hn::Set(d, 2.0f), Positive(d, x)); }
};
struct TanhOf {
  static HWY_INLINE V Value(D d, V x) { return Tanh(d, x); }
  static HWY_INLINE V Slope(D d, V x) {  // 4 e / (1 + e)^2, e = exp(-2 |x|)
    const V e = Exp(d, hn::Mul(hn::Set(d, -2.0f), hn::Abs(x))), sum = hn::Add(hn::Set(d, 1.0f), e);
    return hn::Div(hn::Mul(hn::Set(d, 4.0f), e), hn::Mul(sum, sum));
  }
};
struct SigmoidOf {
  static HWY_INLINE V Value(D d, V x) { return Sigmoid(d, x); }
  static HWY_INLINE V Slope(D d, V x) {
    const V e = Exp(d, hn::Neg(hn::Abs(x))), sum = hn::Add(hn::Set(d, 1.0f), e);
    return hn::Div(e, hn::Mul(sum, sum));
  }
};

template <class F>
void ForwardRowOf(const ActivationForward<float>& a, int64_t n) {
  const D d;
  const float *x = a.x + n * a.stride, *up = a.up ? a.up + n * a.stride : nullptr;
  float* y = a.y + n * a.y_stride;
  if (up) {
    ForLanes(a.columns, [&](int64_t c, auto io)
                            HWY_ATTR { io.store(hn::Mul(F::Value(d, io.load(x + c)), io.load(up + c)), y + c); });
  } else {
    const V in = hn::Set(d, static_cast<float>(a.in)), out = hn::Set(d, static_cast<float>(a.out));
    ForLanes(a.columns, [&](int64_t c, auto io)
                            HWY_ATTR { io.store(hn::Mul(out, F::Value(d, hn::Mul(in, io.load(x + c)))), y + c); });
  }
}

template <class F>
void BackwardRowOf(const ActivationBackward<float>& b, int64_t n) {
  const D d;
  const ActivationForward<float>& a = b.in;
  const float *x = a.x + n * a.stride, *up = a.up ? a.up + n * a.stride : nullptr, *dy = b.dy + n * a.columns;
  float *dx = b.dx + n * b.dstride, *dup = b.dup ? b.dup + n * b.dstride : nullptr;
  if (up) {
    ForLanes(a.columns, [&](int64_t c, auto io) HWY_ATTR {
      const V gate = io.load(x + c), grad = io.load(dy + c),
              dgate = hn::Mul(hn::Mul(grad, io.load(up + c)), F::Slope(d, gate));
      io.store(hn::Mul(grad, F::Value(d, gate)), dup + c);
      io.store(dgate, dx + c);
    });
  } else {
    const V in = hn::Set(d, static_cast<float>(a.in)), factor = hn::Set(d, static_cast<float>(a.in * a.out));
    ForLanes(a.columns, [&](int64_t c, auto io) HWY_ATTR {
      io.store(hn::Mul(hn::Mul(io.load(dy + c), factor), F::Slope(d, hn::Mul(in, io.load(x + c)))), dx + c);
    });
  }
}

// Calls f with the type of an activation.
template <class Call>
HWY_INLINE void With(Activation f, Call call) {
  switch (f) {
    case Activation::silu:
      return call(SiluOf());
    case Activation::gelu:
      return call(GeluOf());
    case Activation::gelu_tanh:
      return call(GeluTanhOf());
    case Activation::relu:
      return call(ReluOf());
    case Activation::squared_relu:
      return call(SquaredReluOf());
    case Activation::tanh:
      return call(TanhOf());
    case Activation::sigmoid:
      return call(SigmoidOf());
  }
}

void ForwardRows(const ActivationForward<float>& a, int64_t begin, int64_t end) {
  With(a.f, [&](auto f) HWY_ATTR {
    for (int64_t n = begin; n < end; ++n) ForwardRowOf<decltype(f)>(a, n);
  });
}

void BackwardRows(const ActivationBackward<float>& b, int64_t begin, int64_t end) {
  With(b.in.f, [&](auto f) HWY_ATTR {
    for (int64_t n = begin; n < end; ++n) BackwardRowOf<decltype(f)>(b, n);
  });
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(ForwardRows);
HWY_EXPORT(BackwardRows);
constexpr int64_t rows_per_task = 16;

template <class Rows, class Arguments>
void in_tasks(Rows rows, const Arguments& a, int64_t count, Exec& exec) {
  exec.pool.run((count + rows_per_task - 1) / rows_per_task,
                [&](int64_t task, int) { rows(a, task * rows_per_task, std::min(count, (task + 1) * rows_per_task)); });
}

void forward(const ActivationForward<float>& a, Exec& exec) noexcept {
  in_tasks(HWY_DYNAMIC_DISPATCH(ForwardRows), a, a.rows, exec);
}
void backward(const ActivationBackward<float>& b, Exec& exec) noexcept {
  in_tasks(HWY_DYNAMIC_DISPATCH(BackwardRows), b, b.in.rows, exec);
}
}  // namespace

const ActivationKernels<float> activation_cpu{.forward = forward, .backward = backward};

}  // namespace statera
#endif
