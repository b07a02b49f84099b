// routing in vectors, along the channels of a row. A task is a range of rows.
#include <algorithm>
#include <cmath>

#include "ops/routing/routing.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/routing/routing_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

using D = LanesTag;
using V = LanesVec;

struct Cosine {
  double q_norm, k_norm, value;  // in double, and rounded once: a small 1 - cos is a difference
};

Cosine CosineOf(const float* HWY_RESTRICT q, const float* HWY_RESTRICT k, int64_t width) {
  const D d;
  V qq = hn::Zero(d), kk = hn::Zero(d), qk = hn::Zero(d);
  ForLanes(width, [&](int64_t c, auto io) HWY_ATTR {
    const V a = io.load(q + c), b = io.load(k + c);
    qq = hn::MulAdd(a, a, qq);
    kk = hn::MulAdd(b, b, kk);
    qk = hn::MulAdd(a, b, qk);
  });
  const double q_norm = std::max(std::sqrt(static_cast<double>(Sum(qq))), routing_eps),
               k_norm = std::max(std::sqrt(static_cast<double>(Sum(kk))), routing_eps);
  return {q_norm, k_norm, static_cast<double>(Sum(qk)) / (q_norm * k_norm)};
}

float ForwardRow(const float* q, const float* k, int64_t width) {
  return static_cast<float>(std::clamp((1 - CosineOf(q, k, width).value) / 2, 0.0, 1.0));
}

// dq and dk of a row, each null if nobody needs it; `g` is -dp / 2.
void BackwardRow(const float* HWY_RESTRICT q, const float* HWY_RESTRICT k, int64_t width, float g,
                 float* HWY_RESTRICT dq, float* HWY_RESTRICT dk) {
  const D d;
  const Cosine c = CosineOf(q, k, width);
  const double slope = c.value > 1 || c.value < -1 ? 0 : static_cast<double>(g), across = slope / (c.q_norm * c.k_norm);
  const auto own = [&](double norm) { return norm > routing_eps ? slope * c.value / (norm * norm) : 0; };
  const V cross = hn::Set(d, static_cast<float>(across)), of_q = hn::Set(d, static_cast<float>(own(c.q_norm))),
          of_k = hn::Set(d, static_cast<float>(own(c.k_norm)));
  ForLanes(width, [&](int64_t i, auto io) HWY_ATTR {
    const V a = io.load(q + i), b = io.load(k + i);
    if (dq) io.store(hn::MulSub(cross, b, hn::Mul(of_q, a)), dq + i);
    if (dk) io.store(hn::MulSub(cross, a, hn::Mul(of_k, b)), dk + i);
  });
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(ForwardRow);
HWY_EXPORT(BackwardRow);
constexpr int64_t rows_per_task = 32;

// Calls row(t, whether t is the first row of a new sequence) for all rows, in tasks.
template <class Row>
void for_rows(const Rows& rows, Exec& exec, const Row& row) {
  const int64_t total = rows.total();
  exec.pool.run((total + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    FirstRows first{rows};
    for (int64_t t = task * rows_per_task; t < std::min(total, (task + 1) * rows_per_task); ++t) row(t, first(t));
  });
}

void forward(const RoutingForward<float>& a, Exec& exec) noexcept {
  const auto row = HWY_DYNAMIC_DISPATCH(ForwardRow);
  for_rows(a.rows, exec, [&](int64_t t, bool first) {
    a.p[t] = first ? 1.0f : row(a.q + t * a.q_stride, a.k + t * a.k_stride, a.width);
  });
}

void backward(const RoutingBackward<float>& b, Exec& exec) noexcept {
  const auto row = HWY_DYNAMIC_DISPATCH(BackwardRow);
  const RoutingForward<float>& a = b.in;
  for_rows(a.rows, exec, [&](int64_t t, bool first) {
    row(a.q + t * a.q_stride, a.k + t * a.k_stride, a.width, first ? 0.0f : -0.5f * b.dp[t],
        b.dq ? b.dq + t * b.dq_stride : nullptr, b.dk ? b.dk + t * b.dk_stride : nullptr);
  });
}
}  // namespace

const RoutingKernels<float> routing_cpu{.forward = forward, .backward = backward};

}  // namespace statera
#endif
