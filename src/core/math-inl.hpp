// Elementary functions on vectors of float, compiled once per target. The relative error is at most 3e-7 in the range
// of float (math_test.cpp). NaN gives NaN; a clamp must not hide it.
#if defined(STATERA_CORE_MATH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef STATERA_CORE_MATH_INL
#undef STATERA_CORE_MATH_INL
#else
#define STATERA_CORE_MATH_INL
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// exp(x); 0 below -87.3, 1.7e38 above 88.0. Range reduction and coefficients as in Cephes, expf.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Exp(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V lowest = hn::Set(d, -87.33654f);
  const V y = hn::Min(hn::Set(d, 88.02969f), hn::Max(lowest, x));
  const V n = hn::Round(hn::Mul(y, hn::Set(d, 1.44269504f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), y);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::Set(d, 1.9875691500e-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1f));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
  const V scaled = hn::Mul(p, hn::BitCast(d, exponent));
  return hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenZeroElse(hn::Lt(x, lowest), scaled));
}

// 1 / (1 + exp(-x))
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, Exp(d, hn::Neg(x))));
}

// x sigmoid(x)
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Silu(D d, V x) {
  return hn::Mul(x, Sigmoid(d, x));
}

// The derivative of silu: s (1 + x (1 - s)), s = sigmoid(x) = 1 / (1 + e). 1 - s is computed as e s, which keeps its
// digits where s is near 1.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SiluGrad(D d, V x) {
  const V one = hn::Set(d, 1.0f), e = Exp(d, hn::Neg(x));
  const V s = hn::Div(one, hn::Add(one, e));
  return hn::Mul(s, hn::MulAdd(x, hn::Mul(e, s), one));
}

// tanh(x): near 0 the odd polynomial of Cephes, tanhf; elsewhere 1 - 2 / (exp(2 |x|) + 1).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Tanh(D d, V x) {
  const V a = hn::Abs(x), s = hn::Mul(x, x), one = hn::Set(d, 1.0f), two = hn::Set(d, 2.0f);
  V p = hn::Set(d, -5.70498872745e-3f);
  p = hn::MulAdd(p, s, hn::Set(d, 2.06390887954e-2f));
  p = hn::MulAdd(p, s, hn::Set(d, -5.37397155531e-2f));
  p = hn::MulAdd(p, s, hn::Set(d, 1.33314422036e-1f));
  p = hn::MulAdd(p, s, hn::Set(d, -3.33332819422e-1f));
  const V near = hn::MulAdd(hn::Mul(p, s), x, x);
  const V far = hn::Sub(one, hn::Div(two, hn::Add(Exp(d, hn::Mul(two, a)), one)));
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.625f)), near, hn::CopySign(far, x));
}

// P(Z < x) for a standard normal Z, and e = exp(-x^2 / 2). With t = 1 / (1 + |x| / 4), P(Z < -|x|) = e p(t). p is a
// polynomial of degree 9 with the smallest relative error in 0 <= |x| <= 14 (1.5e-8 before rounding), so that the tail
// below 0 keeps its digits.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V NormalBelow(D d, V x, V& e) {
  const V one = hn::Set(d, 1.0f), t = hn::Div(one, hn::MulAdd(hn::Abs(x), hn::Set(d, 0.25f), one));
  e = Exp(d, hn::Mul(hn::Mul(x, x), hn::Set(d, -0.5f)));
  V p = hn::Set(d, 3.3946896638e-2f);
  p = hn::MulAdd(p, t, hn::Set(d, -1.9617821063e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, 3.9500338796e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, -3.3347168362e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, 3.0448875972e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, -2.0384992760e-2f));
  p = hn::MulAdd(p, t, hn::Set(d, 1.2156823922e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, 9.4820191640e-2f));
  p = hn::MulAdd(p, t, hn::Set(d, 1.0022900504e-1f));
  p = hn::MulAdd(p, t, hn::Set(d, -2.1600410930e-5f));
  const V tail = hn::Mul(e, p);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
}

// log(1 + exp(x)) = max(x, 0) + log1p(u), u = exp(-|x|); log1p(u) = 2 atanh(u / (2 + u)), a series in s^2 <= 1/9.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SoftplusOf(D d, V x, V u) {
  const V s = hn::Div(u, hn::Add(u, hn::Set(d, 2.0f)));
  const V s2 = hn::Mul(s, s);
  V p = hn::Set(d, 2.0f / 13);
  p = hn::MulAdd(p, s2, hn::Set(d, 2.0f / 11));
  p = hn::MulAdd(p, s2, hn::Set(d, 2.0f / 9));
  p = hn::MulAdd(p, s2, hn::Set(d, 2.0f / 7));
  p = hn::MulAdd(p, s2, hn::Set(d, 2.0f / 5));
  p = hn::MulAdd(p, s2, hn::Set(d, 2.0f / 3));
  p = hn::MulAdd(p, s2, hn::Set(d, 2.0f));
  return hn::MulAdd(p, s, hn::Max(hn::Zero(d), x));
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Softplus(D d, V x) {
  return SoftplusOf(d, x, Exp(d, hn::Neg(hn::Abs(x))));
}

// The same, and its derivative sigmoid(x): 1 / (1 + u), or u / (1 + u) for negative x.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Softplus(D d, V x, V& slope) {
  const V one = hn::Set(d, 1.0f), u = Exp(d, hn::Neg(hn::Abs(x)));
  slope = hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), u, one), hn::Add(one, u));
  return SoftplusOf(d, x, u);
}

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
