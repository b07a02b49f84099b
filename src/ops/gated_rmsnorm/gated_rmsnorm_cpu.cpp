// gated_rmsnorm in vectors. A task is a range of rows; vector lanes run along the channels of a group. For dweight and
// dbias, each range has a buffer of its own, and the buffers are added in their order.
#include <algorithm>
#include <cmath>

#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/gated_rmsnorm/gated_rmsnorm_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

using D = LanesTag;
using V = LanesVec;

enum class Gate { none, first, last };

// One group of one row.
template <Gate gate>
void ForwardGroup(const float* HWY_RESTRICT x, const float* HWY_RESTRICT z, const float* HWY_RESTRICT weight,
                  const float* HWY_RESTRICT bias, float* HWY_RESTRICT y, int64_t count, float eps, float* rrms) {
  const D d;
  V squares = hn::Zero(d);
  ForLanes(count, [&](int64_t c, auto io) HWY_ATTR {
    V u = io.load(x + c);
    if constexpr (gate == Gate::first) {
      u = hn::Mul(u, Silu(d, io.load(z + c)));
      io.store(u, y + c);
    }
    squares = hn::MulAdd(u, u, squares);
  });
  // In double, and rounded once. The norm cancels what scales a whole row, as dt_bias does, so the gradient of dt_bias
  // is a small difference in which the error of this factor shows.
  const auto scale = static_cast<float>(
      1 / std::sqrt(static_cast<double>(Sum(squares)) / static_cast<double>(count) + static_cast<double>(eps)));
  if (rrms) *rrms = scale;
  const float* in = gate == Gate::first ? y : x;
  ForLanes(count, [&](int64_t c, auto io) HWY_ATTR {
    V n = hn::Mul(io.load(in + c), hn::Set(d, scale));
    if (weight) n = hn::Mul(n, io.load(weight + c));
    if (bias) n = hn::Add(n, io.load(bias + c));
    if constexpr (gate == Gate::last) n = hn::Mul(n, Silu(d, io.load(z + c)));
    io.store(n, y + c);
  });
}

void ForwardRow(const GatedRmsnormForward<float>& a, int64_t n) {
  for (int64_t begin = 0; begin < a.channels; begin += a.group_size) {
    const float *x = a.x + n * a.x_stride + begin, *z = a.z ? a.z + n * a.z_stride + begin : nullptr;
    const float *weight = a.weight ? a.weight + begin : nullptr, *bias = a.bias ? a.bias + begin : nullptr;
    float* y = a.y + n * a.channels + begin;
    float* rrms = a.rrms ? a.rrms + (n * a.channels + begin) / a.group_size : nullptr;
    const auto group = !z                   ? ForwardGroup<Gate::none>
                       : a.norm_before_gate ? ForwardGroup<Gate::last>
                                            : ForwardGroup<Gate::first>;
    group(x, z, weight, bias, y, a.group_size, static_cast<float>(a.eps), rrms);
  }
}

// Gradients of one group of one row; each is null if it is not needed.
struct GroupGrads {
  float *dx, *dz;
  float *dweight, *dbias;  // the sums of the task's rows
};

// Goes through the group twice: for the mean and the gradients of weight and bias, then for dx and dz. The symbols are
// those of gated_rmsnorm.md.
template <Gate gate>
void BackwardGroup(const float* HWY_RESTRICT x, const float* HWY_RESTRICT z, const float* HWY_RESTRICT weight,
                   const float* HWY_RESTRICT bias, const float* HWY_RESTRICT dy, float rrms, int64_t count,
                   const GroupGrads& g) {
  const D d;
  const V scale = hn::Set(d, rrms), one = hn::Set(d, 1.0f);
  V dot = hn::Zero(d);
  const auto normed = [&](int64_t c, auto io, V silu) HWY_ATTR {
    const V v = hn::Mul(io.load(x + c), scale);
    return gate == Gate::first ? hn::Mul(v, silu) : v;
  };
  ForLanes(count, [&](int64_t c, auto io) HWY_ATTR {
    const V in = io.load(dy + c), silu = gate == Gate::none ? in : Silu(d, io.load(z + c));
    const V v = normed(c, io, silu);
    const V dn = gate == Gate::last ? hn::Mul(in, silu) : in;
    dot = hn::MulAdd(hn::Mul(dn, weight ? io.load(weight + c) : one), v, dot);
    if (g.dweight) io.store(hn::MulAdd(dn, v, io.load(g.dweight + c)), g.dweight + c);
    if (g.dbias) io.store(hn::Add(dn, io.load(g.dbias + c)), g.dbias + c);
  });
  const V mean = hn::Set(d, Sum(dot) / static_cast<float>(count));
  ForLanes(count, [&](int64_t c, auto io) HWY_ATTR {
    const V w = weight ? io.load(weight + c) : one, in = io.load(dy + c),
            gate_in = gate == Gate::none ? w : io.load(z + c);
    const V silu = gate == Gate::none ? w : Silu(d, gate_in);
    const V v = normed(c, io, silu);
    const V dn = gate == Gate::last ? hn::Mul(in, silu) : in;
    const V du = hn::Mul(scale, hn::NegMulAdd(v, mean, hn::Mul(dn, w)));
    if (g.dx) io.store(gate == Gate::first ? hn::Mul(du, silu) : du, g.dx + c);
    if (gate != Gate::none && g.dz) {
      V outer = hn::Mul(du, io.load(x + c));
      if constexpr (gate == Gate::last) outer = hn::Mul(in, bias ? hn::MulAdd(v, w, io.load(bias + c)) : hn::Mul(v, w));
      io.store(hn::Mul(outer, SiluGrad(d, gate_in)), g.dz + c);
    }
  });
}

// dweight and dbias: the sums of the task's rows; null: not needed.
void BackwardRow(const GatedRmsnormBackward<float>& b, int64_t n, float* dweight, float* dbias) {
  const GatedRmsnormForward<float>& a = b.in;
  for (int64_t begin = 0; begin < a.channels; begin += a.group_size) {
    const float *x = a.x + n * a.x_stride + begin, *z = a.z ? a.z + n * a.z_stride + begin : nullptr;
    const GroupGrads grads{.dx = b.dx ? b.dx + n * b.dx_stride + begin : nullptr,
                           .dz = b.dz ? b.dz + n * b.dz_stride + begin : nullptr,
                           .dweight = dweight ? dweight + begin : nullptr,
                           .dbias = dbias ? dbias + begin : nullptr};
    const auto group = !z                   ? BackwardGroup<Gate::none>
                       : a.norm_before_gate ? BackwardGroup<Gate::last>
                                            : BackwardGroup<Gate::first>;
    group(x, z, a.weight ? a.weight + begin : nullptr, a.bias ? a.bias + begin : nullptr, b.dy + n * a.channels + begin,
          a.rrms[(n * a.channels + begin) / a.group_size], a.group_size, grads);
  }
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
constexpr int64_t most_partials = 64;

void forward(const GatedRmsnormForward<float>& a, Exec& exec) noexcept {
  const auto row = HWY_DYNAMIC_DISPATCH(ForwardRow);
  exec.pool.run((a.rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t n = task * rows_per_task; n < std::min(a.rows, (task + 1) * rows_per_task); ++n) row(a, n);
  });
}

void sum_partials(const float* partials, int64_t count, int64_t channels, float* out) {
  if (!out) return;
  std::fill_n(out, channels, 0.0f);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t c = 0; c < channels; ++c) out[c] += partials[i * channels + c];
}

void backward(const GatedRmsnormBackward<float>& b, Exec& exec) noexcept {
  const GatedRmsnormForward<float>& a = b.in;
  const auto row = HWY_DYNAMIC_DISPATCH(BackwardRow);
  const int64_t block = std::max(rows_per_task, (a.rows + most_partials - 1) / most_partials),
                tasks = (a.rows + block - 1) / block;
  const ArenaScope scope(exec.scratch);
  float* dweight = b.dweight ? exec.scratch.allocate_array<float>(tasks * a.channels) : nullptr;  // [tasks, C]
  float* dbias = b.dbias ? exec.scratch.allocate_array<float>(tasks * a.channels) : nullptr;
  exec.pool.run(tasks, [&](int64_t task, int) {
    float* dw = dweight ? dweight + task * a.channels : nullptr;
    float* db = dbias ? dbias + task * a.channels : nullptr;
    if (dw) std::fill_n(dw, a.channels, 0.0f);
    if (db) std::fill_n(db, a.channels, 0.0f);
    for (int64_t n = task * block; n < std::min(a.rows, (task + 1) * block); ++n) row(b, n, dw, db);
  });
  sum_partials(dweight, tasks, a.channels, b.dweight);
  sum_partials(dbias, tasks, a.channels, b.dbias);
}
}  // namespace

const GatedRmsnormKernels<float> gated_rmsnorm_cpu{.forward = forward, .backward = backward};

}  // namespace statera
#endif
