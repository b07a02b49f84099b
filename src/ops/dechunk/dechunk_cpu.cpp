// dechunk in vectors, along the channels. A task is a piece of the channels of one sequence: it goes through the rows
// in order. What the pieces add to dp goes into one buffer per piece, and the buffers are added in their order.
#include <algorithm>

#include "kernels/states.hpp"
#include "ops/dechunk/dechunk.hpp"
#include "ops/dechunk/dechunk_piece.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/dechunk/dechunk_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

using D = LanesTag;
using V = LanesVec;

struct Weights {
  float w, c;  // of the smoothing; what the result is multiplied by
};
Weights WeightsOf(const DechunkForward<float>& a, int64_t t) {
  const float p = a.p[t];
  return {std::clamp(p, static_cast<float>(dechunk_eps), 1 - static_cast<float>(dechunk_eps)),
          a.confidence == Confidence::plain ? std::max(p, 1 - p) : 1.0f};
}

// to = w z + (1 - w) from; `to` may be `from`.
void Smooth(const float* z, float w, const float* from, float* to, int64_t count) {
  const D d;
  const V in = hn::Set(d, w), keep = hn::Set(d, 1 - w);
  ForLanes(count, [&](int64_t c, auto io)
                      HWY_ATTR { io.store(hn::MulAdd(in, io.load(z + c), hn::Mul(keep, io.load(from + c))), to + c); });
}

const float* InnerRow(const DechunkForward<float>& a, int64_t t, int64_t begin) {
  return a.z + a.cuts.inner_row[static_cast<size_t>(t)] * a.z_stride + begin;
}

// The channels [begin, begin + count) of sequence s.
void ForwardPiece(const DechunkForward<float>& a, int64_t s, int64_t begin, int64_t count) {
  const D d;
  float* state = a.state_out[s] + begin;
  if (const float* initial = initial_state(a.state_in, a.outer, s); !initial)
    std::fill_n(state, count, 0.0f);
  else if (initial + begin != state)
    std::copy_n(initial + begin, count, state);
  for (int64_t t = a.outer.begin(s); t < a.outer.begin(s) + a.outer.length(s); ++t) {
    const Weights weights = WeightsOf(a, t);
    if (a.cuts.cut(t)) Smooth(InnerRow(a, t, begin), weights.w, state, state, count);
    const V c = hn::Set(d, weights.c);
    const float* residual = a.residual ? a.residual + t * a.residual_stride + begin : nullptr;
    float* y = a.y + t * a.width + begin;
    ForLanes(count, [&](int64_t i, auto io) HWY_ATTR {
      const V up = hn::Mul(c, io.load(state + i));
      io.store(residual ? hn::Add(up, io.load(residual + i)) : up, y + i);
    });
  }
}

// The smoothed results of the piece. Returns what its sequence began with, or null for zeros.
const float* SmoothAgain(const DechunkForward<float>& a, const DechunkPiece& p) {
  const float *initial = initial_state(a.state_in, a.outer, p.s), *before = initial ? initial + p.begin : nullptr;
  std::fill_n(p.g, p.count, 0.0f);
  for (int64_t j = a.cuts.inner.begin(p.s); j < a.cuts.inner.begin(p.s) + a.cuts.inner.length(p.s); ++j) {
    const int64_t t = a.cuts.outer_row[static_cast<size_t>(j)];
    float* after = p.smoothed + j * a.width + p.begin;
    Smooth(InnerRow(a, t, p.begin), WeightsOf(a, t).w, before ? before : p.g, after, p.count);
    before = after;
  }
  return initial ? initial + p.begin : nullptr;
}

void BackwardPiece(const DechunkBackward<float>& b, const DechunkPiece& p) {
  const D d;
  const DechunkForward<float>& a = b.in;
  const float* initial = SmoothAgain(a, p);
  if (b.dstate_out) std::copy_n(b.dstate_out[p.s] + p.begin, p.count, p.g);
  const int64_t first_cut = a.cuts.inner.begin(p.s);
  for (int64_t t = a.outer.begin(p.s) + a.outer.length(p.s); t-- > a.outer.begin(p.s);) {
    const Weights weights = WeightsOf(a, t);
    const int32_t j = a.cuts.inner_row[static_cast<size_t>(t)];
    const bool cut = a.cuts.cut(t);
    const auto smoothed = [&](int64_t row) {
      return row >= first_cut ? p.smoothed + row * a.width + p.begin : initial;
    };
    const float *after = smoothed(j), *before = cut ? smoothed(j - 1) : nullptr, *dy = b.dy + t * a.width + p.begin;
    const float* z = cut ? InnerRow(a, t, p.begin) : nullptr;
    float* dz = cut && b.dz ? b.dz + j * b.dz_stride + p.begin : nullptr;
    float* dr = b.dresidual ? b.dresidual + t * b.dresidual_stride + p.begin : nullptr;
    const V w = hn::Set(d, weights.w), keep = hn::Set(d, 1 - weights.w), c = hn::Set(d, weights.c);
    V dc = hn::Zero(d), dw = hn::Zero(d);
    ForLanes(p.count, [&](int64_t i, auto io) HWY_ATTR {
      const V in = io.load(dy + i);
      if (after) dc = hn::MulAdd(in, io.load(after + i), dc);
      if (dr) io.store(in, dr + i);
      V g = hn::MulAdd(c, in, io.load(p.g + i));
      if (cut) {
        const V moved = before ? hn::Sub(io.load(z + i), io.load(before + i)) : io.load(z + i);
        dw = hn::MulAdd(g, moved, dw);
        if (dz) io.store(hn::Mul(w, g), dz + i);
        g = hn::Mul(keep, g);
      }
      io.store(g, p.g + i);
    });
    if (!p.dp) continue;
    const float confident = a.confidence == Confidence::none ? 0 : a.p[t] > 0.5f ? Sum(dc) : -Sum(dc);
    p.dp[t] = confident + (weights.w == a.p[t] ? Sum(dw) : 0.0f);
  }
  if (!b.dstate_in) return;
  if (initial)
    std::copy_n(p.g, p.count, b.dstate_in[p.s] + p.begin);
  else
    std::fill_n(b.dstate_in[p.s] + p.begin, p.count, 0.0f);
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(ForwardPiece);
HWY_EXPORT(BackwardPiece);
constexpr int64_t channels_per_task = 128;

int64_t pieces_of(int64_t width) { return (width + channels_per_task - 1) / channels_per_task; }

void forward(const DechunkForward<float>& a, Exec& exec) noexcept {
  const auto piece = HWY_DYNAMIC_DISPATCH(ForwardPiece);
  const int64_t pieces = pieces_of(a.width);
  exec.pool.run(a.outer.sequences() * pieces, [&](int64_t task, int) {
    const int64_t begin = task % pieces * channels_per_task;
    piece(a, task / pieces, begin, std::min(channels_per_task, a.width - begin));
  });
}

void backward(const DechunkBackward<float>& b, Exec& exec) noexcept {
  const DechunkForward<float>& a = b.in;
  const auto piece = HWY_DYNAMIC_DISPATCH(BackwardPiece);
  const int64_t pieces = pieces_of(a.width), total = a.outer.total(), tasks = a.outer.sequences() * pieces;
  const ArenaScope scope(exec.scratch);
  float* smoothed = exec.scratch.allocate_array<float>(a.cuts.inner.total() * a.width);
  float* g = exec.scratch.allocate_array<float>(tasks * channels_per_task);
  float* dp = b.dp ? exec.scratch.allocate_array<float>(pieces * total) : nullptr;  // [pieces, N]
  exec.pool.run(tasks, [&](int64_t task, int) {
    const int64_t number = task % pieces, begin = number * channels_per_task;
    piece(b, {.s = task / pieces,
              .begin = begin,
              .count = std::min(channels_per_task, a.width - begin),
              .smoothed = smoothed,
              .g = g + task * channels_per_task,
              .dp = dp ? dp + number * total : nullptr});
  });
  for (int64_t t = 0; b.dp && t < total; ++t) {
    b.dp[t] = dp[t];
    for (int64_t i = 1; i < pieces; ++i) b.dp[t] += dp[i * total + t];
  }
}
}  // namespace

const DechunkKernels<float> dechunk_cpu{.forward = forward, .backward = backward};

}  // namespace statera
#endif
