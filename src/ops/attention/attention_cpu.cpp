// Flash attention on key blocks of 64 positions; see "Key blocks" in attention.md. All working memory of a tile stays
// in L2.
#include "ops/attention/attention.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/fetch.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention/attention_cpu.cpp"
#include "core/simd.hpp"
#include "core/math-inl.hpp"
#include "core/transpose-inl.hpp"
#include "kernels/tile-inl.hpp"

#ifndef STATERA_ATTENTION_TILES
#define STATERA_ATTENTION_TILES
namespace statera {
// Rows (positions x query heads) of a tile, and rows that are multiplied together.
inline constexpr int64_t tile_queries = 64, strip = 16;

// The first key block that the queries from position `position` on see.
inline int64_t first_seen_block(const KvBlocks& kv, const AttentionOptions& o, int64_t position) {
  return (o.window > 0 ? std::max(kv.first_key, position - o.window + 1) : kv.first_key) / attention_block;
}
// Whether scores differ from the scaled products: by a soft cap or slopes.
inline bool adjusted(const AttentionOptions& o, const float* slopes) { return o.soft_cap > 0 || slopes; }
// The keys of one head in a key block, [D, 64].
inline const float* keys_of(const KvBlocks& kv, const AttentionOptions& o, int64_t block, int64_t kv_head) {
  return static_cast<const float*>(kv.k[block - kv.first_block]) + kv_head * o.headdim * attention_block;
}

// A tile: some positions of one sequence, and all query heads of some key heads; `group` query heads share a key head.
// Row r of key head j is the query at position first + r / group of head j group + r % group.
struct ForwardTile {
  const AttentionForward<float>* a;
  const AttentionSequence* sequence;
  int64_t first, positions, kv_head, kv_heads;  // first: counted from the first query
  const float* after;  // the first keys of the tile that this thread probably takes next, or null
  // Scratch memory of the worker: q scaled [kv_heads, rows, D], the sums of values [kv_heads, rows, Dv], scores [16,
  // 64], and the running maximum and sum of exponentials, [kv_heads, rows] each.
  float *q, *acc, *scores, *top, *sum;
  float* values;  // [64, Dv] of one key head, where the values are channels of the keys
};

// One key head of one sequence; the query heads of its group are added in order. The arrays are the worker's scratch
// memory, for one tile at a time.
struct BackwardTask {
  const AttentionBackward<float>* a;
  int64_t sequence, kv_head;
  int64_t width;                              // largest number of rows of a tile, rounded up to whole vectors
  float *q, *q_t, *dy, *dy_t, *dq;            // [rows, D] scaled, [D, width], [rows, Dv], [Dv, width], [rows, D]
  float *p, *ds, *lse, *delta;                // [64, width] transposed, [64, width] transposed, [width], [width]
  float *slope, *position, *factor, *dslope;  // [width]; factor: d score / d product of one key; null unless adjusted
  float *dsinks, *dslopes;                    // [Hq / Hkv]: the sums of this task; null: not needed
};
}  // namespace statera
#endif

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

constexpr float before_all = -1e30f;  // the maximum before any score; finite, so that a difference is never NaN

// The online softmax of one row. Turns its scores in the columns [begin, end) into exponentials, and those outside of
// [low, high) into 0; begin is a multiple of the number of vector lanes. Updates the running maximum and sum, and
// returns the factor by which earlier sums must be multiplied.
HWY_INLINE float OnlineSoftmax(float* HWY_RESTRICT s, int64_t begin, int64_t end, int64_t low, int64_t high, float& top,
                               float& sum) {
  const TileTag d;
  const hn::RebindToSigned<TileTag> di;
  const auto before = hn::Set(di, static_cast<int32_t>(low - 1)), behind = hn::Set(di, static_cast<int32_t>(high));
  auto largest = hn::Set(d, top);
  for (int64_t c = begin; c < end; c += tile_lanes) {
    const auto column = hn::Iota(di, static_cast<int32_t>(c));
    const auto seen = hn::RebindMask(d, hn::And(hn::Gt(column, before), hn::Lt(column, behind)));
    const auto v = hn::IfThenElse(seen, hn::LoadU(d, s + c), hn::Set(d, -HUGE_VALF));
    hn::StoreU(v, d, s + c);
    largest = hn::Max(largest, v);
  }
  const float now = hn::GetLane(hn::MaxOfLanes(d, largest));
  const auto shift = hn::Set(d, now);
  auto total = hn::Zero(d);
  for (int64_t c = begin; c < end; c += tile_lanes) {
    const auto p = Exp(d, hn::Sub(hn::LoadU(d, s + c), shift));
    hn::StoreU(p, d, s + c);
    total = hn::Add(total, p);
  }
  const float keep = now == top ? 1.0f : hn::GetLane(Exp(d, hn::Set(d, top - now)));
  sum = sum * keep + hn::GetLane(hn::SumOfLanes(d, total));
  top = now;
  return keep;
}

// Applies soft cap and slope to the scores of one row in the columns [begin, end). The key of column 0 is `distance`
// positions before the query.
HWY_INLINE void AdjustRow(float* HWY_RESTRICT s, int64_t begin, int64_t end, float cap, float slope, int64_t distance) {
  const TileTag d;
  const hn::RebindToSigned<TileTag> di;
  for (int64_t c = begin; c < end; c += tile_lanes) {
    auto v = hn::LoadU(d, s + c);
    if (cap > 0) v = hn::Mul(hn::Set(d, cap), Tanh(d, hn::Div(v, hn::Set(d, cap))));
    const auto away = hn::Sub(hn::Set(di, static_cast<int32_t>(distance)), hn::Iota(di, static_cast<int32_t>(c)));
    hn::StoreU(hn::NegMulAdd(hn::ConvertTo(d, away), hn::Set(d, slope), v), d, s + c);
  }
}

// The same for transposed scores: key number `key` and the queries in the columns [begin, end). Stores the derivative
// of the cap in t.factor.
HWY_INLINE void AdjustColumns(const BackwardTask& t, float* HWY_RESTRICT s, int64_t begin, int64_t end, int64_t key) {
  const TileTag d;
  const auto cap = hn::Set(d, static_cast<float>(t.a->options.soft_cap)), one = hn::Set(d, 1.0f);
  for (int64_t c = begin; c < end; c += tile_lanes) {
    auto v = hn::LoadU(d, s + c), factor = one;
    if (t.a->options.soft_cap > 0) {
      const auto part = Tanh(d, hn::Div(v, cap));
      v = hn::Mul(cap, part);
      factor = hn::NegMulAdd(part, part, one);
    }
    const auto away = hn::Sub(hn::LoadU(d, t.position + c), hn::Set(d, static_cast<float>(key)));
    hn::StoreU(hn::NegMulAdd(away, hn::LoadU(d, t.slope + c), v), d, s + c);
    hn::StoreU(factor, d, t.factor + c);
  }
}

// From the gradient of the scores to that of the scaled products, in place. Adds to the gradients of the slopes.
HWY_INLINE void AdjustGrads(const BackwardTask& t, float* HWY_RESTRICT ds, int64_t begin, int64_t end, int64_t key) {
  const TileTag d;
  for (int64_t c = begin; c < end; c += tile_lanes) {
    const auto grad = hn::LoadU(d, ds + c),
               away = hn::Sub(hn::LoadU(d, t.position + c), hn::Set(d, static_cast<float>(key)));
    hn::StoreU(hn::NegMulAdd(grad, away, hn::LoadU(d, t.dslope + c)), d, t.dslope + c);
    // A key that is not seen has the gradient 0, but its factor may be anything.
    const auto scaled = hn::Mul(grad, hn::LoadU(d, t.factor + c));
    hn::StoreU(hn::IfThenZeroElse(hn::Eq(grad, hn::Zero(d)), scaled), d, ds + c);
  }
}

// to = by * from, n values; to may be from.
HWY_INLINE void ScaleTo(const float* from, float by, float* to, int64_t n) {
  const TileTag d;
  const auto factor = hn::Set(d, by);
  for (int64_t i = 0; i < n; i += tile_lanes) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(n - i));
    const auto v = LoadPart(d, mask, from + i);
    StorePart(hn::Mul(v, factor), d, mask, to + i);
  }
}

HWY_INLINE float Dot(const float* a, const float* b, int64_t n) {
  const TileTag d;
  auto sum = hn::Zero(d);
  for (int64_t i = 0; i < n; i += tile_lanes) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(n - i));
    sum = hn::MulAdd(LoadPart(d, mask, a + i), LoadPart(d, mask, b + i), sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// Prefetches the n floats at `next`. A product of few rows can fetch `meanwhile` floats itself while it multiplies:
// then this fetches only the rest and returns `next` for Tile. Otherwise it fetches all of them and returns null.
HWY_INLINE const float* Ahead(const float* next, int64_t n, int64_t rows, int64_t meanwhile) {
  const bool few = rows <= few_rows;
  if (!few) meanwhile = 0;
  fetch(next + meanwhile, n - meanwhile);
  return few ? next : nullptr;
}

// One strip, the rows [r0, r1) of key head t.kv_head, with one key block. `next`: the keys that are read after these,
// or null; only a step fetches them.
void ForwardStrip(const ForwardTile& t, int64_t block, int64_t r0, int64_t r1, const float* next) {
  const AttentionOptions& o = t.a->options;
  const KvBlocks& kv = t.sequence->kv;
  const int64_t group = o.n_heads / o.n_kv_heads, D = o.headdim, Dv = o.value_dim, base = block * attention_block;
  const int64_t tile_position = t.sequence->first_query + t.first;
  const auto low = [&](int64_t r) {  // the first column that row r sees
    const int64_t first =
        o.window > 0 ? std::max(kv.first_key, tile_position + r / group - o.window + 1) : kv.first_key;
    return std::clamp<int64_t>(first - base, 0, attention_block);
  };
  const auto high = [&](int64_t r) {
    return std::clamp<int64_t>(tile_position + r / group + 1 - base, 0, attention_block);
  };
  const int64_t begin = low(r0), end = high(r1 - 1);
  if (begin >= end) return;

  const int64_t aligned = begin / tile_lanes * tile_lanes;
  const float* k = keys_of(kv, o, block, t.kv_head);
  const float* v =
      kv.v ? static_cast<const float*>(kv.v[block - kv.first_block]) + t.kv_head * attention_block * Dv : t.values;
  // A step reads keys and values once and has little else to do, so it fetches what it reads next meanwhile.
  const bool step = t.positions == 1 && r0 == 0;
  const int64_t rows = r1 - r0, columns = end - aligned, keys = end - begin;
  const float* values = step && kv.v ? Ahead(v + begin * Dv, keys * Dv, rows, D * columns) : nullptr;
  Tile<false>(t.q + r0 * D, D, 1, k + aligned, attention_block, t.scores + aligned, attention_block, rows, columns, D,
              values);
  for (int64_t r = r0; r < r1; ++r) {
    float* scores = t.scores + (r - r0) * attention_block;
    if (adjusted(o, t.a->slopes))
      AdjustRow(scores, aligned, end, static_cast<float>(o.soft_cap),
                t.a->slopes ? t.a->slopes[t.kv_head * group + r % group] : 0, tile_position + r / group - base);
    const float keep = OnlineSoftmax(scores, aligned, end, low(r), high(r), t.top[r], t.sum[r]);
    if (keep != 1.0f) ScaleTo(t.acc + r * Dv, keep, t.acc + r * Dv, Dv);
  }
  next = step && next ? Ahead(next, D * attention_block, rows, keys * Dv) : nullptr;
  Tile<true>(t.scores + begin, attention_block, 1, v + begin * Dv, Dv, t.acc + r0 * Dv, Dv, rows, Dv, keys, next);
}

// The part of a tile that belongs to its j-th key head.
ForwardTile OfHead(const ForwardTile& t, int64_t j) {
  const AttentionOptions& o = t.a->options;
  const int64_t at = j * t.positions * (o.n_heads / o.n_kv_heads);
  ForwardTile part = t;
  part.kv_head += j;
  part.q += at * o.headdim;
  part.acc += at * o.value_dim;
  part.top += at;
  part.sum += at;
  return part;
}

// Scales the queries of one key head and starts their sums.
void BeginHead(const ForwardTile& t, int64_t rows) {
  const AttentionOptions& o = t.a->options;
  const int64_t group = o.n_heads / o.n_kv_heads, D = o.headdim;
  for (int64_t r = 0; r < rows; ++r) {
    const float* q =
        t.a->q + (t.sequence->row + t.first + r / group) * t.a->q_stride + (t.kv_head * group + r % group) * D;
    ScaleTo(q, static_cast<float>(o.scale), t.q + r * D, D);
    // A sink counts as a score before all others, with a value of zeros. A sink of -inf is none.
    const float sink = t.a->sinks ? t.a->sinks[t.kv_head * group + r % group] : -HUGE_VALF;
    t.top[r] = std::max(sink, before_all);
    t.sum[r] = sink >= before_all ? 1.0f : 0.0f;
  }
  std::fill_n(t.acc, rows * o.value_dim, 0.0f);
}

// Divides the sums of values by the sums of exponentials, and writes y and lse.
void EndHead(const ForwardTile& t, int64_t rows) {
  const AttentionOptions& o = t.a->options;
  const int64_t group = o.n_heads / o.n_kv_heads, Dv = o.value_dim;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t n = t.sequence->row + t.first + r / group, h = t.kv_head * group + r % group;
    ScaleTo(t.acc + r * Dv, 1 / t.sum[r], t.a->y + n * t.a->y_stride + h * Dv, Dv);
    if (t.a->lse) t.a->lse[n * o.n_heads + h] = t.top[r] + std::log(t.sum[r]);
  }
}

void ForwardOneTile(const ForwardTile& t) {
  const AttentionOptions& o = t.a->options;
  const KvBlocks& kv = t.sequence->kv;
  const int64_t rows = t.positions * (o.n_heads / o.n_kv_heads), position = t.sequence->first_query + t.first;
  const int64_t last = (position + t.positions - 1) / attention_block;
  for (int64_t j = 0; j < t.kv_heads; ++j) BeginHead(OfHead(t, j), rows);
  // Key blocks first, then heads: the heads of a key block are neighbours in memory.
  for (int64_t block = first_seen_block(kv, o, position); block <= last; ++block)
    for (int64_t j = 0; j < t.kv_heads; ++j) {
      const float* next = j + 1 < t.kv_heads ? keys_of(kv, o, block, t.kv_head + j + 1)
                          : block < last     ? keys_of(kv, o, block + 1, t.kv_head)
                                             : t.after;
      const ForwardTile part = OfHead(t, j);
      if (!kv.v)
        Transpose(keys_of(kv, o, block, t.kv_head + j), attention_block, o.value_dim, attention_block, t.values,
                  o.value_dim);
      for (int64_t r = 0; r < rows; r += strip) ForwardStrip(part, block, r, std::min(rows, r + strip), next);
    }
  for (int64_t j = 0; j < t.kv_heads; ++j) EndHead(OfHead(t, j), rows);
}

// One key: its row of the transposed scores becomes p, and its row of dy . v becomes the gradient of the scores, in the
// columns [begin, end). Only the queries [low, high) see the key; the others get 0.
HWY_INLINE void ScoreGrad(float* HWY_RESTRICT p, float* HWY_RESTRICT ds, const float* HWY_RESTRICT lse,
                          const float* HWY_RESTRICT delta, int64_t begin, int64_t end, int64_t low, int64_t high) {
  const TileTag d;
  const hn::RebindToSigned<TileTag> di;
  const auto before = hn::Set(di, static_cast<int32_t>(low - 1)), behind = hn::Set(di, static_cast<int32_t>(high));
  for (int64_t c = begin; c < end; c += tile_lanes) {
    const auto column = hn::Iota(di, static_cast<int32_t>(c));
    const auto seen = hn::RebindMask(d, hn::And(hn::Gt(column, before), hn::Lt(column, behind)));
    const auto weight = hn::IfThenElseZero(seen, Exp(d, hn::Sub(hn::LoadU(d, p + c), hn::LoadU(d, lse + c))));
    const auto grad = hn::Mul(weight, hn::Sub(hn::LoadU(d, ds + c), hn::LoadU(d, delta + c)));
    hn::StoreU(weight, d, p + c);
    hn::StoreU(hn::IfThenElseZero(seen, grad), d, ds + c);
  }
}

// The keys [j0, j1), at most 64, with the queries of a tile. The first query is at the position of key number `i0`.
// Adds to dk, dv and t.dq.
void BackwardBlock(const BackwardTask& t, int64_t i0, int64_t rows, int64_t j0, int64_t j1) {
  const AttentionBackward<float>& a = *t.a;
  const AttentionOptions& o = a.options;
  const int64_t group = o.n_heads / o.n_kv_heads, D = o.headdim, Dv = o.value_dim;
  const int64_t row = a.k_rows.begin(t.sequence), k_at = t.kv_head * D;
  const float* v = a.v ? a.v + t.kv_head * Dv : a.k + k_at;  // without v: the first channels of the keys
  float* dv = !a.v ? (a.dk ? a.dk + k_at : nullptr) : a.dv ? a.dv + t.kv_head * Dv : nullptr;
  const int64_t v_stride = a.v ? a.v_stride : a.k_stride, dv_stride = a.v ? a.dv_stride : a.dk_stride;
  // key j is seen by the queries low(j) .. high(j) - 1
  const auto low = [&](int64_t j) { return std::clamp<int64_t>((j - i0) * group, 0, rows); };
  const auto high = [&](int64_t j) {
    return o.window > 0 ? std::clamp<int64_t>((j + o.window - i0) * group, 0, rows) : rows;
  };
  const int64_t first = low(j0), last = high(j1 - 1), aligned = first / tile_lanes * tile_lanes;
  if (first >= last) return;
  for (int64_t j = j0; j < j1; j += strip) {
    const int64_t end = std::min(j1, j + strip), m = end - j, r = low(j), n = high(end - 1) - r;
    float *p = t.p + (j - j0) * t.width, *ds = t.ds + (j - j0) * t.width;
    if (n > 0) {
      Tile<false>(a.k + (row + j) * a.k_stride + k_at, a.k_stride, 1, t.q_t + r, t.width, p + r, t.width, m, n, D);
      Tile<false>(v + (row + j) * v_stride, v_stride, 1, t.dy_t + r, t.width, ds + r, t.width, m, n, Dv);
    }
    for (int64_t i = 0; i < m; ++i) {
      float *of_p = p + i * t.width, *of_ds = ds + i * t.width;
      if (t.factor) AdjustColumns(t, of_p, aligned, last, j + i);
      ScoreGrad(of_p, of_ds, t.lse, t.delta, aligned, last, low(j + i), high(j + i));
      if (t.factor) AdjustGrads(t, of_ds, aligned, last, j + i);
    }
    if (n > 0 && dv) Tile<true>(p + r, t.width, 1, t.dy + r * Dv, Dv, dv + (row + j) * dv_stride, dv_stride, m, Dv, n);
    if (n > 0 && a.dk)
      Tile<true>(ds + r, t.width, 1, t.q + r * D, D, a.dk + (row + j) * a.dk_stride + k_at, a.dk_stride, m, D, n);
  }
  if (a.dq)
    Tile<true>(t.ds + first, 1, t.width, a.k + (row + j0) * a.k_stride + k_at, a.k_stride, t.dq + first * D, D,
               last - first, D, j1 - j0);
}

// The queries [first, first + positions) of the sequence, with all keys that they see.
void BackwardTile(const BackwardTask& t, int64_t first, int64_t positions) {
  const AttentionBackward<float>& a = *t.a;
  const AttentionOptions& o = a.options;
  const int64_t group = o.n_heads / o.n_kv_heads, D = o.headdim, Dv = o.value_dim, rows = positions * group;
  const auto scale = static_cast<float>(o.scale);
  const auto place = [&](int64_t r) { return a.q_rows.begin(t.sequence) + first + r / group; };
  const auto head = [&](int64_t r) { return t.kv_head * group + r % group; };
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = (place(r) * o.n_heads + head(r)) * Dv;
    ScaleTo(a.q + place(r) * a.q_stride + head(r) * D, scale, t.q + r * D, D);
    std::copy_n(a.dy + at, Dv, t.dy + r * Dv);
    t.delta[r] = Dot(a.dy + at, a.y + at, Dv);
    t.lse[r] = a.lse[place(r) * o.n_heads + head(r)];
  }
  const int64_t i0 = a.k_rows.length(t.sequence) - a.q_rows.length(t.sequence) + first, keys = i0 + positions;
  for (int64_t r = 0; t.dsinks && r < rows; ++r)
    t.dsinks[r % group] -= std::exp(a.sinks[head(r)] - t.lse[r]) * t.delta[r];
  for (int64_t r = 0; t.factor && r < t.width; ++r) {  // up to whole vectors: rows after the last one see no key
    t.position[r] = static_cast<float>(i0 + r / group);
    t.slope[r] = a.slopes ? a.slopes[head(r)] : 0.0f;
    t.dslope[r] = 0.0f;
  }
  Transpose(t.q, D, rows, D, t.q_t, t.width);
  Transpose(t.dy, Dv, rows, Dv, t.dy_t, t.width);
  std::fill_n(t.dq, rows * D, 0.0f);
  const int64_t first_key = o.window > 0 ? std::max<int64_t>(0, i0 - o.window + 1) : 0;
  for (int64_t j = first_key / attention_block * attention_block; j < keys; j += attention_block)
    BackwardBlock(t, i0, rows, std::max(j, first_key), std::min(keys, j + attention_block));
  for (int64_t r = 0; a.dq && r < rows; ++r)
    ScaleTo(t.dq + r * D, scale, a.dq + place(r) * a.dq_stride + head(r) * D, D);
  for (int64_t r = 0; t.dslopes && r < rows; ++r) t.dslopes[r % group] += t.dslope[r];
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(ForwardOneTile);
HWY_EXPORT(BackwardTile);

int64_t positions_of_tile(const AttentionOptions& o) {
  return std::max<int64_t>(1, tile_queries * o.n_kv_heads / o.n_heads);
}

// How much work a call is, and how it is distributed.
struct ForwardWork {
  bool steps = true, even;  // at most one query per sequence; no sequence has over twice the mean work
  int64_t multiply_adds;    // including the softmax

  explicit ForwardWork(const AttentionForward<float>& a) {
    int64_t pairs = 0, most = 0;  // pairs of queries and keys: of all sequences, and of the largest one
    for (const AttentionSequence& sequence : std::span(a.sequences, static_cast<size_t>(a.n_sequences))) {
      const int64_t own = sequence.queries * (sequence.first_query + sequence.queries - sequence.kv.first_key);
      steps &= sequence.queries <= 1;
      pairs += own;
      most = std::max(most, own);
    }
    even = most * a.n_sequences <= 2 * pairs;
    multiply_adds = pairs * a.options.n_heads * (a.options.headdim + a.options.value_dim) * 3 / 2;
  }
};

void forward(const AttentionForward<float>& a, Exec& exec) noexcept {
  const AttentionOptions& o = a.options;
  const ForwardWork work(a);
  const int64_t positions = work.steps ? 1 : positions_of_tile(o), rows = positions * (o.n_heads / o.n_kv_heads);
  const ArenaScope scope(exec.scratch);
  int64_t n_tiles = 0;
  for (int64_t s = 0; s < a.n_sequences; ++s) n_tiles += (a.sequences[s].queries + positions - 1) / positions;
  struct Place {
    const AttentionSequence* sequence;
    int64_t first;
  };
  auto* tiles = exec.scratch.allocate_array<Place>(n_tiles);
  // Filled from the end, so that the last tiles of a sequence, which see the most keys, come first.
  for (int64_t s = 0, at = n_tiles; s < a.n_sequences; ++s)
    for (int64_t first = 0; first < a.sequences[s].queries; first += positions) tiles[--at] = {a.sequences + s, first};
  // Many steps: if the sequences divide well among the threads, a task takes all heads of a sequence and reads its key
  // blocks from end to end. Otherwise a task is one key head.
  const bool in_order = work.steps && work.even;
  const int64_t shares = exec.pool.shares(), filled = (n_tiles + shares - 1) / shares * shares;
  const int64_t kv_heads = in_order && 16 * filled <= 17 * n_tiles ? o.n_kv_heads : 1, parts = o.n_kv_heads / kv_heads;
  auto* workers = exec.scratch.allocate_array<ForwardTile>(exec.pool.size());
  for (int w = 0; w < exec.pool.size(); ++w) {
    const auto floats = [&](int64_t n) { return exec.scratch.allocate_array<float>(n); };
    workers[w] = {.a = &a,
                  .q = floats(kv_heads * rows * o.headdim),
                  .acc = floats(kv_heads * rows * o.value_dim),
                  .scores = floats(strip * attention_block),
                  .top = floats(kv_heads * rows),
                  .sum = floats(kv_heads * rows),
                  .values = floats(attention_block * o.value_dim)};
  }
  const auto run = HWY_DYNAMIC_DISPATCH(ForwardOneTile);
  const auto first_keys = [&](int64_t task) {
    const Place& place = tiles[task / parts];
    const KvBlocks& kv = place.sequence->kv;
    return keys_of(kv, o, first_seen_block(kv, o, place.sequence->first_query + place.first), task % parts * kv_heads);
  };
  const int64_t tasks = n_tiles * parts;
  const auto part = [&](int64_t task, int worker) {
    const Place& place = tiles[task / parts];
    ForwardTile tile = workers[worker];
    tile.sequence = place.sequence;
    tile.first = place.first;
    tile.positions = std::min(positions, place.sequence->queries - place.first);
    tile.kv_head = task % parts * kv_heads;
    tile.kv_heads = kv_heads;
    tile.after = task + 1 < tasks ? first_keys(task + 1) : nullptr;
    run(tile);
  };
  if (in_order)
    exec.pool.run_in_order(tasks, part, work.multiply_adds);
  else
    exec.pool.run(tasks, part, work.multiply_adds);
}

// dk and dv of one key head of a sequence start from 0, since BackwardBlock adds to them.
void zero_grads(const AttentionBackward<float>& a, int64_t s, int64_t kv_head) {
  const AttentionOptions& o = a.options;
  for (int64_t n = a.k_rows.begin(s); n < a.k_rows.begin(s) + a.k_rows.length(s); ++n) {
    if (a.dk) std::fill_n(a.dk + n * a.dk_stride + kv_head * o.headdim, o.headdim, 0.0f);
    if (a.dv) std::fill_n(a.dv + n * a.dv_stride + kv_head * o.value_dim, o.value_dim, 0.0f);
  }
}

// to [heads] = the sum of from [sequences, heads], in the order of the sequences; null: not needed.
void sum_sequences(const float* from, int64_t sequences, int64_t heads, float* to) {
  for (int64_t h = 0; to && h < heads; ++h) {
    to[h] = 0;
    for (int64_t s = 0; s < sequences; ++s) to[h] += from[s * heads + h];
  }
}

void backward(const AttentionBackward<float>& a, Exec& exec) noexcept {
  const AttentionOptions& o = a.options;
  const int64_t positions = positions_of_tile(o), rows = positions * (o.n_heads / o.n_kv_heads);
  const int64_t width = (rows + strip - 1) / strip * strip;  // whole vectors
  const ArenaScope scope(exec.scratch);
  auto* workers = exec.scratch.allocate_array<BackwardTask>(exec.pool.size());
  for (int w = 0; w < exec.pool.size(); ++w) {
    const auto floats = [&](int64_t n) { return exec.scratch.allocate_array<float>(n); };
    workers[w] = {.a = &a,
                  .width = width,
                  .q = floats(rows * o.headdim),
                  .q_t = floats(o.headdim * width),
                  .dy = floats(rows * o.value_dim),
                  .dy_t = floats(o.value_dim * width),
                  .dq = floats(rows * o.headdim),
                  .p = floats(attention_block * width),
                  .ds = floats(attention_block * width),
                  .lse = floats(width),
                  .delta = floats(width)};
    if (adjusted(o, a.slopes)) {
      BackwardTask& t = workers[w];
      t.slope = floats(width), t.position = floats(width), t.factor = floats(width), t.dslope = floats(width);
    }
  }
  const int64_t group = o.n_heads / o.n_kv_heads, sequences = a.q_rows.sequences();
  const auto sums = [&](const float* wanted) {  // [S, Hq]
    return wanted ? exec.scratch.allocate_array<float>(sequences * o.n_heads) : nullptr;
  };
  float *dsinks = sums(a.dsinks), *dslopes = sums(a.dslopes);
  const auto run = HWY_DYNAMIC_DISPATCH(BackwardTile);
  exec.pool.run(sequences * o.n_kv_heads, [&](int64_t task, int worker) {
    BackwardTask t = workers[worker];
    t.sequence = task / o.n_kv_heads;
    t.kv_head = task % o.n_kv_heads;
    for (const auto& [part, all] : {std::pair(&t.dsinks, dsinks), {&t.dslopes, dslopes}}) {
      *part = all ? all + task * group : nullptr;
      if (all) std::fill_n(*part, group, 0.0f);
    }
    zero_grads(a, t.sequence, t.kv_head);
    for (int64_t first = 0; first < a.q_rows.length(t.sequence); first += positions)
      run(t, first, std::min(positions, a.q_rows.length(t.sequence) - first));
  });
  sum_sequences(dsinks, sequences, o.n_heads, a.dsinks);
  sum_sequences(dslopes, sequences, o.n_heads, a.dslopes);
}
}  // namespace

const AttentionKernels<float> attention_cpu{.append = attention_append_f32, .forward = forward, .backward = backward};

}  // namespace statera
#endif
