// Dropout in vectors: one byte says of each element whether it is kept.
#include "ops/dropout/dropout.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/dropout/dropout_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

// Reads up to a vector of bytes behind keep[count - 1].
void Apply(const float* x, const uint8_t* keep, float* y, int64_t count, float scale) {
  const LanesTag d;
  const hn::RebindToUnsigned<LanesTag> wide;
  const hn::Rebind<uint8_t, LanesTag> narrow;
  ForLanes(count, [&](int64_t i, auto io) HWY_ATTR {
    const auto kept = hn::Ne(hn::PromoteTo(wide, hn::LoadU(narrow, keep + i)), hn::Zero(wide));
    io.store(hn::IfThenElseZero(hn::RebindMask(d, kept), hn::Mul(io.load(x + i), hn::Set(d, scale))), y + i);
  });
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(Apply);
}  // namespace

void dropout_cpu(const float* x, const uint8_t* keep, float* y, int64_t count, float scale) noexcept {
  HWY_DYNAMIC_DISPATCH(Apply)(x, keep, y, count, scale);
}

}  // namespace statera
#endif
