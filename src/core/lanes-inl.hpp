// ForLanes: a loop over `count` floats, in whole vectors and one masked rest. Compiled once per target.
//
//   ForLanes(count, [&](int64_t i, auto io) HWY_ATTR { io.store(hn::Mul(io.load(a + i), io.load(b + i)), y + i); });
//
// Vector lanes beyond the end load as 0 and are not stored.
#if defined(STATERA_CORE_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef STATERA_CORE_LANES_INL
#undef STATERA_CORE_LANES_INL
#else
#define STATERA_CORE_LANES_INL
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using LanesTag = hn::ScalableTag<float>;
using LanesVec = hn::Vec<LanesTag>;

// Loads and stores the first vector lanes, those in the mask, and touches no memory beyond them. NEON has no masked
// accesses: Highway would read and write whole vectors there, which races with threads that own the rest.
template <class D, class M = hn::Mask<D>>
HWY_INLINE hn::Vec<D> LoadPart(D d, M mask, const float* p) {
  if constexpr (HWY_ARCH_ARM) {
    HWY_ALIGN float lanes[hn::MaxLanes(d)] = {};
    for (size_t i = 0, count = hn::CountTrue(d, mask); i < count; ++i) lanes[i] = p[i];
    return hn::Load(d, lanes);
  }
  return hn::MaskedLoad(mask, d, p);
}
template <class D, class V = hn::Vec<D>, class M = hn::Mask<D>>
HWY_INLINE void StorePart(V v, D d, M mask, float* p) {
  if constexpr (HWY_ARCH_ARM) {
    HWY_ALIGN float lanes[hn::MaxLanes(d)];
    hn::Store(v, d, lanes);
    for (size_t i = 0, count = hn::CountTrue(d, mask); i < count; ++i) p[i] = lanes[i];
  } else {
    hn::BlendedStore(v, mask, d, p);
  }
}

struct WholeVector {
  HWY_INLINE LanesVec load(const float* p) const { return hn::LoadU(LanesTag(), p); }
  HWY_INLINE void store(LanesVec v, float* p) const { hn::StoreU(v, LanesTag(), p); }
};
struct PartOfVector {
  hn::Mask<LanesTag> mask;
  HWY_INLINE LanesVec load(const float* p) const { return LoadPart(LanesTag(), mask, p); }
  HWY_INLINE void store(LanesVec v, float* p) const { StorePart(v, LanesTag(), mask, p); }
};

template <class F>
HWY_INLINE void ForLanes(int64_t count, const F& f) {
  const LanesTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) f(i, WholeVector());
  if (i < count) f(i, PartOfVector{hn::FirstN(d, static_cast<size_t>(count - i))});
}

HWY_INLINE float Sum(LanesVec v) { return hn::GetLane(hn::SumOfLanes(LanesTag(), v)); }

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
