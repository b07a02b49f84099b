// Elementary functions on vectors of float, once a target. Relative error at most 3e-7 in the range of float (math_test.cpp).
// NaN goes in and comes out: a clamp must not hide it.
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

// exp(x); 0 below -87.3, 1.7e38 above 88.0. Range reduction and coefficients: Cephes, expf.
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
HWY_INLINE V Silu(D d, V x) { return hn::Mul(x, Sigmoid(d, x)); }

// d silu / dx = s (1 + x (1 - s)), s = sigmoid(x) = 1 / (1 + e); 1 - s is e s, which keeps its digits where s is near 1
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SiluGrad(D d, V x) {
  const V one = hn::Set(d, 1.0f), e = Exp(d, hn::Neg(x));
  const V s = hn::Div(one, hn::Add(one, e));
  return hn::Mul(s, hn::MulAdd(x, hn::Mul(e, s), one));
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
HWY_INLINE V Softplus(D d, V x) { return SoftplusOf(d, x, Exp(d, hn::Neg(hn::Abs(x)))); }

// The same and its slope, sigmoid(x) = 1 / (1 + u), or u / (1 + u) for negative x.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Softplus(D d, V x, V& slope) {
  const V one = hn::Set(d, 1.0f), u = Exp(d, hn::Neg(hn::Abs(x)));
  slope = hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), u, one), hn::Add(one, u));
  return SoftplusOf(d, x, u);
}

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
