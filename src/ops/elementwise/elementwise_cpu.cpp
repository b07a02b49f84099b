// -exp(a) in vectors. It has a fast kernel because Mamba-1 takes it of d_inner d_state values in each training step.
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

void neg_exp_cpu(const ElementwiseArguments<float>& e, Exec& exec) noexcept {
  const auto run = HWY_DYNAMIC_DISPATCH(NegExp);
  const bool dense = e.a_stride == e.columns && e.y_stride == e.columns;  // then all elements are one long row
  const int64_t rows = dense ? 1 : e.rows, columns = dense ? e.rows * e.columns : e.columns,
                parts = (columns + values_per_task - 1) / values_per_task;
  const auto part = [&](int64_t task, int) {
    const int64_t row = task / parts, begin = task % parts * values_per_task;
    run(e.a + row * e.a_stride + begin, e.y + row * e.y_stride + begin, std::min(values_per_task, columns - begin));
  };
  exec.pool.run(rows * parts, part, rows * columns);
}

}  // namespace statera
#endif
