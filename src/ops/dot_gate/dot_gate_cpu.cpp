// dot_gate in vectors. A task is a range of rows; vector lanes run along a row.
#include <algorithm>
#include <cmath>

#include "core/plain_math.hpp"
#include "ops/dot_gate/dot_gate.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/dot_gate/dot_gate_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

double Dot(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t count) {
  LanesVec sum = hn::Zero(LanesTag());
  ForLanes(count, [&](int64_t i, auto io) HWY_ATTR { sum = hn::MulAdd(io.load(a + i), io.load(b + i), sum); });
  return static_cast<double>(Sum(sum));
}

void Scale(const float* x, double factor, float* y, int64_t count) {
  const LanesVec by = hn::Set(LanesTag(), static_cast<float>(factor));
  ForLanes(count, [&](int64_t i, auto io) HWY_ATTR { io.store(hn::Mul(io.load(x + i), by), y + i); });
}

double GateOf(const DotGateForward<float>& a, int64_t n) {
  const double sum = Dot(a.q + n * a.q_stride, a.k + n * a.k_stride, a.compared);
  return 1 / (1 + plain::exp(-sum / std::sqrt(static_cast<double>(a.compared))));
}

void ForwardRow(const DotGateForward<float>& a, int64_t n) {
  Scale(a.v + n * a.v_stride, GateOf(a, n), a.y + n * a.columns, a.columns);
}

void BackwardRow(const DotGateBackward<float>& b, int64_t n) {
  const DotGateForward<float>& a = b.in;
  const double g = GateOf(a, n), dg = Dot(b.dy + n * a.columns, a.v + n * a.v_stride, a.columns),
               e = dg * g * (1 - g) / std::sqrt(static_cast<double>(a.compared));
  if (b.dv) Scale(b.dy + n * a.columns, g, b.dv + n * b.dv_stride, a.columns);
  if (b.dq) Scale(a.k + n * a.k_stride, e, b.dq + n * b.dq_stride, a.compared);
  if (b.dk) Scale(a.q + n * a.q_stride, e, b.dk + n * b.dk_stride, a.compared);
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(ForwardRow);
HWY_EXPORT(BackwardRow);
constexpr int64_t rows_per_task = 16;

template <class Row>
void each_row(Exec& exec, const DotGateForward<float>& a, const Row& row) {
  const auto block = [&](int64_t task, int) {
    const int64_t end = std::min(a.rows, (task + 1) * rows_per_task);
    for (int64_t n = task * rows_per_task; n < end; ++n) row(n);
  };
  exec.pool.run((a.rows + rows_per_task - 1) / rows_per_task, block, a.rows * (a.compared + a.columns));
}

void forward(const DotGateForward<float>& a, Exec& exec) noexcept {
  const auto run = HWY_DYNAMIC_DISPATCH(ForwardRow);
  each_row(exec, a, [&](int64_t n) { run(a, n); });
}
void backward(const DotGateBackward<float>& b, Exec& exec) noexcept {
  const auto run = HWY_DYNAMIC_DISPATCH(BackwardRow);
  each_row(exec, b.in, [&](int64_t n) { run(b, n); });
}
}  // namespace

const DotGateKernels<float> dot_gate_cpu{.forward = forward, .backward = backward};

}  // namespace statera
#endif
