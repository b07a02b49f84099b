// The two loops of the mixers in vectors. Sums of whole numbers have the same bits in any order.
#include "counts/mixer.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "counts/mixer_cpu.cpp"
#include "core/simd.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::counts::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<int32_t, lanes_of_inputs>;

void Dot(const int32_t* HWY_RESTRICT x, const int32_t* const* weights, size_t sets, size_t inputs, int32_t* sums) {
  const D d;
  for (size_t s = 0; s < sets; ++s) {
    const int32_t* HWY_RESTRICT w = weights[s];
    auto sum = hn::Zero(d);
    for (size_t i = 0; i < inputs; i += hn::Lanes(d))
      sum = hn::Add(sum, hn::ShiftRight<8>(hn::Mul(hn::LoadU(d, w + i), hn::LoadU(d, x + i))));
    sums[s] = hn::GetLane(hn::SumOfLanes(d, sum)) >> 8;
  }
}

void Learn(const int32_t* HWY_RESTRICT x, int32_t* const* weights, const int32_t* steps, size_t sets, size_t inputs) {
  const D d;
  const auto half = hn::Set(d, 1 << 11), least = hn::Set(d, -weight_limit), most = hn::Set(d, weight_limit - 1);
  for (size_t s = 0; s < sets; ++s) {
    int32_t* HWY_RESTRICT w = weights[s];
    const auto step = hn::Set(d, steps[s]);
    for (size_t i = 0; i < inputs; i += hn::Lanes(d)) {
      const auto move = hn::ShiftRight<12>(hn::Add(hn::Mul(hn::LoadU(d, x + i), step), half));
      hn::StoreU(hn::Min(hn::Max(hn::Add(hn::LoadU(d, w + i), move), least), most), d, w + i);
    }
  }
}

}  // namespace
}  // namespace statera::counts::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera::counts {

namespace {
HWY_EXPORT(Dot);
HWY_EXPORT(Learn);
void dot(const int32_t* x, const int32_t* const* weights, size_t sets, size_t inputs, int32_t* sums) noexcept {
  HWY_DYNAMIC_DISPATCH(Dot)(x, weights, sets, inputs, sums);
}
void learn(const int32_t* x, int32_t* const* weights, const int32_t* steps, size_t sets, size_t inputs) noexcept {
  HWY_DYNAMIC_DISPATCH(Learn)(x, weights, steps, sets, inputs);
}
}  // namespace

const MixerKernels& mixer_kernels() {
  static constexpr MixerKernels kernels{dot, learn};
  return kernels;
}

}  // namespace statera::counts
#endif
