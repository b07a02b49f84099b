// cross_entropy in vectors: a task is a range of rows.
#include <cmath>

#include "ops/cross_entropy/cross_entropy.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cross_entropy/cross_entropy_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

// The log of the sum of exponentials of a row. A NaN among the logits becomes `most` and thus the result.
float LogSumExp(const float* HWY_RESTRICT row, int64_t vocab) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  float most = row[0];
  for (int64_t v = 1; v < vocab; ++v) most = row[v] > most || row[v] != row[v] ? row[v] : most;
  const auto m = hn::Set(d, most);
  auto sum = hn::Zero(d);
  int64_t v = 0;
  for (; v + lanes <= vocab; v += lanes) sum = hn::Add(sum, Exp(d, hn::Sub(hn::LoadU(d, row + v), m)));
  if (v < vocab) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(vocab - v));
    sum = hn::Add(sum, hn::IfThenElseZero(mask, Exp(d, hn::Sub(LoadPart(d, mask, row + v), m))));
  }
  return most + std::log(hn::GetLane(hn::SumOfLanes(d, sum)));
}

// drow = scale (softmax(row) - [v = target]); zeros for a target of -1.
void GradRow(const float* HWY_RESTRICT row, float log_sum, int32_t target, float scale, float* HWY_RESTRICT drow,
             int64_t vocab) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto s = hn::Set(d, target < 0 ? 0.0f : scale), l = hn::Set(d, log_sum);
  int64_t v = 0;
  for (; v + lanes <= vocab; v += lanes) hn::StoreU(hn::Mul(s, Exp(d, hn::Sub(hn::LoadU(d, row + v), l))), d, drow + v);
  if (v < vocab) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(vocab - v));
    StorePart(hn::Mul(s, Exp(d, hn::Sub(LoadPart(d, mask, row + v), l))), d, mask, drow + v);
  }
  if (target >= 0) drow[target] -= scale;
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(LogSumExp);
HWY_EXPORT(GradRow);
constexpr int64_t rows_per_task = 16;

void forward(const CrossEntropyForward<float>& a, Exec& exec) noexcept {
  const auto log_sum_exp = HWY_DYNAMIC_DISPATCH(LogSumExp);
  exec.pool.run((a.rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t n = task * rows_per_task; n < std::min(a.rows, (task + 1) * rows_per_task); ++n) {
      const float* row = a.logits + n * a.stride;
      a.log_sum[n] = log_sum_exp(row, a.vocab);
      a.nll[n] = a.targets[n] < 0 ? 0 : a.log_sum[n] - row[a.targets[n]];
    }
  });
}

void backward(const CrossEntropyBackward<float>& a, Exec& exec) noexcept {
  const auto grad_row = HWY_DYNAMIC_DISPATCH(GradRow);
  exec.pool.run((a.rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t n = task * rows_per_task; n < std::min(a.rows, (task + 1) * rows_per_task); ++n)
      grad_row(a.logits + n * a.stride, a.log_sum[n], a.targets[n], a.scale, a.dlogits + n * a.dstride, a.vocab);
  });
}
}  // namespace

const CrossEntropyKernels<float> cross_entropy_cpu{.forward = forward, .backward = backward};

}  // namespace statera
#endif
