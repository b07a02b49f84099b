// What the chunked forward and backward of ssd share, compiled once per target.
#if defined(STATERA_SSD_CHUNK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef STATERA_SSD_CHUNK_INL
#undef STATERA_SSD_CHUNK_INL
#else
#define STATERA_SSD_CHUNK_INL
#endif

#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"
#include "core/transpose-inl.hpp"
#include "kernels/tile-inl.hpp"
#include "ops/ssd/ssd.hpp"
#include "ops/ssd/ssd_chunks.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

using D = LanesTag;
using V = LanesVec;
inline constexpr int64_t row_block = 16;  // rows of a triangular product that end at the same column
inline constexpr int64_t lanes = tile_lanes;

// The first column after those that the row block of row t computes, for q columns.
inline int64_t BlockEnd(int64_t t, int64_t q) { return std::min(q, (t / row_block + 1) * row_block); }

// The lower triangle of A B^T: out[t, u] = a_t . b_u for u < BlockEnd(t, q). a [q, k], bt [k, ld] (transposed), out
// [q, ld].
inline void LowerProduct(const float* a, int64_t a_stride, const float* bt, float* out, int64_t ld, int64_t q,
                         int64_t k) {
  for (int64_t t = 0; t < q; t += row_block)
    Tile<false>(a + t * a_stride, a_stride, 1, bt, ld, out + t * ld, ld, std::min(row_block, q - t), BlockEnd(t, q), k);
}

// One row of one head per vector lane: dt after softplus and clamp, slope = d dt / d raw, a = dt A, decay = exp(a).
struct SsdStep {
  V dt, slope, a, decay;
};
HWY_INLINE SsdStep StepOf(const SsdForward<float>& f, V raw, V A) {
  const D d;
  const V low = hn::Set(d, f.dt_min), high = hn::Set(d, f.dt_max), free = f.dt_softplus ? Softplus(d, raw) : raw;
  const auto outside = hn::Or(hn::Lt(free, low), hn::Gt(free, high));
  const V dt = hn::IfThenElse(outside, hn::IfThenElse(hn::Lt(free, low), low, high), free);  // a NaN stays a NaN
  const V slope = hn::IfThenZeroElse(outside, f.dt_softplus ? Sigmoid(d, raw) : hn::Set(d, 1.0f)), a = hn::Mul(dt, A);
  return {dt, slope, a, Exp(d, a)};
}

// D of each channel of head h -> skip [headdim]; 0 without D.
inline void FindSkip(const SsdForward<float>& f, int64_t h, float* skip) {
  if (f.D && f.D_per_channel)
    std::copy_n(f.D + h * f.headdim, f.headdim, skip);
  else
    std::fill_n(skip, f.headdim, f.D ? f.D[h] : 0.0f);
}

// dt and decay of all rows and heads of a task together, so that their latencies overlap.
inline void FindSteps(const SsdForward<float>& f, const Piece& piece, const SsdTask& task, const SsdSteps& out) {
  const D d;
  const int64_t count = piece.length * task.heads, padded = Carver::padded(count);
  for (int64_t i = 0; i < padded; ++i) {
    // Padding: any real number will do, so the last one is repeated.
    const int64_t at = std::min(i, count - 1), h = task.head + at % task.heads;
    out.raw[i] = f.dt[(piece.row + at / task.heads) * f.dt_stride + h] + (f.dt_bias ? f.dt_bias[h] : 0);
    out.A[i] = f.A[h];
  }
  for (int64_t i = 0; i < padded; i += lanes) {
    const SsdStep step = StepOf(f, hn::LoadU(d, out.raw + i), hn::LoadU(d, out.A + i));
    hn::StoreU(step.dt, d, out.dt + i);
    hn::StoreU(step.decay, d, out.decay + i);
  }
}

// Fills `out` for head h in a piece. The sums of a restart in each piece.
inline void FindDecay(const SsdForward<float>& f, const Piece& piece, int64_t h, const SsdDecay& out) {
  const D d;
  const int64_t q = piece.length, padded = Carver::padded(q);
  const float bias = f.dt_bias ? f.dt_bias[h] : 0, *dt = f.dt + piece.row * f.dt_stride + h;
  for (int64_t t = 0; t < q; ++t) out.raw[t] = dt[t * f.dt_stride] + bias;
  std::fill(out.raw + q, out.raw + padded, out.raw[0]);  // padding: any real number will do
  for (int64_t t = 0; t < padded; t += lanes) {
    const SsdStep step = StepOf(f, hn::LoadU(d, out.raw + t), hn::Set(d, f.A[h]));
    hn::StoreU(step.dt, d, out.dt + t);
    hn::StoreU(step.slope, d, out.slope + t);
    hn::StoreU(step.a, d, out.a + t);
  }
  FindSkip(f, h, out.skip);
  float sum = 0;
  for (int64_t t = 0; t < padded; ++t) out.from_start[t] = sum += t < q ? out.a[t] : 0;
  sum = 0;
  for (int64_t t = padded; t-- > 0;) {
    out.to_end[t] = sum;
    if (t < q) sum += out.a[t];
  }
  for (int64_t t = 0; t < padded; t += lanes) {
    const V to_end = Exp(d, hn::LoadU(d, out.to_end + t));
    hn::StoreU(Exp(d, hn::LoadU(d, out.from_start + t)), d, out.from_start + t);
    hn::StoreU(to_end, d, out.to_end + t);
    hn::StoreU(hn::Mul(to_end, hn::LoadU(d, out.dt + t)), d, out.weight + t);
  }
}

// y = scale y + skip x; without a scale y = skip x
inline void ScaleAndSkip(const float* scale, const float* HWY_RESTRICT skip, const float* HWY_RESTRICT x,
                         float* HWY_RESTRICT y, int64_t P) {
  const V factor = hn::Set(D(), scale ? *scale : 0);
  ForLanes(P, [&](int64_t p, auto io) HWY_ATTR {
    const V add = hn::Mul(io.load(skip + p), io.load(x + p));
    io.store(scale ? hn::MulAdd(factor, io.load(y + p), add) : add, y + p);
  });
}

// to[t] = weight[t] from[t], for q rows of P channels; `to` is dense.
inline void WeighRows(const float* HWY_RESTRICT weight, const float* HWY_RESTRICT from, int64_t stride, int64_t q,
                      int64_t P, float* HWY_RESTRICT to) {
  for (int64_t t = 0; t < q; ++t) {
    const V w = hn::Set(D(), weight[t]);
    ForLanes(
        P, [&](int64_t p, auto io) HWY_ATTR { io.store(hn::Mul(w, io.load(from + t * stride + p)), to + t * P + p); });
  }
}

// to = total from + keys^T weighted. Forward: the state [N, P] after a piece, with keys B and weighted rows of x.
// Backward: the gradient of the state before a piece, with keys C and weighted rows of dy.
struct StateMove {
  const float* keys;  // [q, N]
  int64_t stride;
  const float* weighted;  // [q, P]
  float total;
  const float* from;  // may be `to`; null: zero
  float* to;
};
inline void MoveState(const StateMove& m, int64_t q, int64_t N, int64_t P) {
  if (!m.from) return Tile<false>(m.keys, 1, m.stride, m.weighted, P, m.to, P, N, P, q);
  ForLanes(N * P, [&](int64_t i, auto io)
                      HWY_ATTR { io.store(hn::Mul(hn::Set(D(), m.total), io.load(m.from + i)), m.to + i); });
  Tile<true>(m.keys, 1, m.stride, m.weighted, P, m.to, P, N, P, q);
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
