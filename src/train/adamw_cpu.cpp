// AdamW in vectors.
#include "train/adamw.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "train/adamw_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

double SumOfSquares(const float* HWY_RESTRICT grad, int64_t count) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto even = hn::Zero(d), odd = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    const auto a = hn::PromoteTo(d, hn::LoadU(df, grad + i)), b = hn::PromoteTo(d, hn::LoadU(df, grad + i + lanes));
    even = hn::MulAdd(a, a, even);
    odd = hn::MulAdd(b, b, odd);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; i < count; ++i) sum += static_cast<double>(grad[i]) * static_cast<double>(grad[i]);
  return sum;
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE void UpdateLanes(D d, const AdamWUpdate<float>& a, V grad, V& weight, V& mean, V& square) {
  const V g = hn::Mul(hn::Set(d, a.clip), grad);
  mean = hn::MulAdd(hn::Set(d, a.keep_mean), mean, hn::Mul(hn::Set(d, 1 - a.beta1), g));
  square = hn::MulAdd(hn::Set(d, a.keep_square), square, hn::Mul(hn::Mul(hn::Set(d, 1 - a.beta2), g), g));
  const V spread = hn::MulAdd(hn::Sqrt(square), hn::Set(d, a.root), hn::Set(d, a.eps));
  weight = hn::Sub(hn::Mul(hn::Set(d, a.keep), weight), hn::Div(hn::Mul(hn::Set(d, a.rate), mean), spread));
}

void Update(const AdamWUpdate<float>& a) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= a.count; i += lanes) {
    auto weight = hn::LoadU(d, a.weight + i), mean = hn::LoadU(d, a.mean + i), square = hn::LoadU(d, a.square + i);
    UpdateLanes(d, a, hn::LoadU(d, a.grad + i), weight, mean, square);
    hn::StoreU(weight, d, a.weight + i);
    hn::StoreU(mean, d, a.mean + i);
    hn::StoreU(square, d, a.square + i);
    hn::StoreU(hn::Zero(d), d, a.grad + i);
  }
  if (i == a.count) return;
  const auto mask = hn::FirstN(d, static_cast<size_t>(a.count - i));
  auto weight = LoadPart(d, mask, a.weight + i), mean = LoadPart(d, mask, a.mean + i),
       square = LoadPart(d, mask, a.square + i);
  UpdateLanes(d, a, LoadPart(d, mask, a.grad + i), weight, mean, square);
  StorePart(weight, d, mask, a.weight + i);
  StorePart(mean, d, mask, a.mean + i);
  StorePart(square, d, mask, a.square + i);
  StorePart(hn::Zero(d), d, mask, a.grad + i);
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(SumOfSquares);
HWY_EXPORT(Update);
double sum_of_squares(const float* grad, int64_t count) noexcept {
  return HWY_DYNAMIC_DISPATCH(SumOfSquares)(grad, count);
}
void update(const AdamWUpdate<float>& a) noexcept { HWY_DYNAMIC_DISPATCH(Update)(a); }
}  // namespace

const AdamWKernels<float> adamw_cpu{.sum_of_squares = sum_of_squares, .update = update, .touch = touch_row};

}  // namespace statera
#endif
