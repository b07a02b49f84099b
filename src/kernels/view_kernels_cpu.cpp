// The sum of two rows in vectors: every gradient of a weight goes through it.
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/view_kernels_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

void AddRow(const float* from, float* to, int64_t count) {
  ForLanes(count, [&](int64_t i, auto io) HWY_ATTR { io.store(hn::Add(io.load(to + i), io.load(from + i)), to + i); });
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/view_kernels.hpp"

namespace statera {

namespace {
HWY_EXPORT(AddRow);
}  // namespace

void add_row_cpu(const float* from, float* to, int64_t count) noexcept {
  HWY_DYNAMIC_DISPATCH(AddRow)(from, to, count);
}

}  // namespace statera
#endif
