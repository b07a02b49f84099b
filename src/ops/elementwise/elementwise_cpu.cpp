// -exp(a) in vectors: for Mamba-1 it is taken of d_inner d_state values a step.
#include "ops/elementwise/elementwise.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/elementwise/elementwise_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

void NegExp(const float* a, float* y, int64_t count) {
  ForLanes(count, [&](int64_t i, auto io) HWY_ATTR { io.store(hn::Neg(Exp(LanesTag(), io.load(a + i))), y + i); });
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

namespace statera {

namespace {
HWY_EXPORT(NegExp);
constexpr int64_t values_per_task = 4096;
}  // namespace

void neg_exp_cpu(const float* a, float* y, int64_t count, Exec& exec) noexcept {
  const auto run = HWY_DYNAMIC_DISPATCH(NegExp);
  const auto part = [&](int64_t task, int) {
    const int64_t begin = task * values_per_task;
    run(a + begin, y + begin, std::min(values_per_task, count - begin));
  };
  exec.pool.run((count + values_per_task - 1) / values_per_task, part, count);
}

}  // namespace statera
#endif
