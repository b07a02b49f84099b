// The reference for attention.md: a plain softmax for each row, float or double.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/plain_math.hpp"
#include "ops/attention/attention.hpp"

namespace statera {

namespace {
template <class T>
T dot(const T* a, const T* b, int64_t n, int64_t b_step = 1) {
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i * b_step];
  return sum;
}

// p [keys] becomes softmax(p), with one more score if there is a sink. Returns the log of the sum of exponentials.
template <class T>
T softmax(T* p, int64_t keys, const T* sink) {
  const T top = std::max(*std::max_element(p, p + keys), sink ? *sink : -std::numeric_limits<T>::infinity());
  T sum = sink ? plain::exp(*sink - top) : T{0};
  for (int64_t j = 0; j < keys; ++j) sum += p[j] = plain::exp(p[j] - top);
  for (int64_t j = 0; j < keys; ++j) p[j] /= sum;
  return top + plain::log(sum);
}

int64_t first_visible(int64_t position, int64_t first_key, int64_t window) {
  return window > 0 ? std::max(first_key, position - window + 1) : first_key;
}

// From the scaled product of a query and a key that is `distance` positions earlier to their score.
template <class T>
struct Score {
  T value, slope;  // slope: d value / d product
  Score(T product, int64_t distance, const T* alibi, const AttentionOptions& o) : value(product), slope(1) {
    if (o.soft_cap > 0) {
      const T cap = static_cast<T>(o.soft_cap), t = plain::tanh(product / cap);
      value = cap * t;
      slope = 1 - t * t;
    }
    if (alibi) value -= *alibi * static_cast<T>(distance);
  }
};

// Writes the keys and values of one head of sequence s into its key blocks. This only moves memory, so it is also the
// fast path.
template <class T>
void append_head(const AttentionAppend<T>& a, int64_t s, int64_t head) noexcept {
  const AttentionOptions& o = a.options;
  const KvBlocks& to = a.blocks[s];
  const int64_t D = o.headdim, Dv = o.value_dim, position = a.rows.start[static_cast<size_t>(s)], row = a.rows.begin(s);
  for (int64_t i = 0, n = 0; i < a.rows.length(s); i += n) {
    const int64_t at = (position + i) % attention_block, block = (position + i) / attention_block - to.first_block;
    n = std::min(a.rows.length(s) - i, attention_block - at);
    T* k_block = static_cast<T*>(to.k[block]) + head * D * attention_block;  // [D, 64]
    const T* k_rows = a.k + (row + i) * a.k_stride + head * D;
    for (int64_t d = 0; d < D; ++d)
      for (int64_t j = 0; j < n; ++j) k_block[d * attention_block + at + j] = k_rows[j * a.k_stride + d];
    if (!to.v) continue;
    T* v_block = static_cast<T*>(to.v[block]) + (head * attention_block + at) * Dv;  // [n, Dv]
    const T* v_rows = a.v + (row + i) * a.v_stride + head * Dv;
    for (int64_t j = 0; j < n; ++j) std::copy_n(v_rows + j * a.v_stride, Dv, v_block + j * Dv);
  }
}

template <class T>
void append(const AttentionAppend<T>& a, Exec& exec) noexcept {
  const int64_t heads = a.options.n_kv_heads;
  exec.pool.run(
      a.rows.sequences() * heads, [&](int64_t task, int) { append_head(a, task / heads, task % heads); },
      a.rows.total() * heads * (a.options.headdim + a.options.value_dim));
}

template <class T>
void forward(const AttentionForward<T>& a, Exec& exec) noexcept {
  const AttentionOptions& o = a.options;
  const int64_t group = o.n_heads / o.n_kv_heads, D = o.headdim, Dv = o.value_dim;
  for (int64_t s = 0; s < a.n_sequences; ++s) {
    const AttentionSequence& seq = a.sequences[s];
    const ArenaScope scope(exec.scratch);
    T* p = exec.scratch.allocate_array<T>(seq.first_query + seq.queries - seq.kv.first_key);
    for (int64_t row = 0; row < seq.queries; ++row)
      for (int64_t h = 0; h < o.n_heads; ++h) {
        const int64_t position = seq.first_query + row, first = first_visible(position, seq.kv.first_key, o.window);
        const T* q = a.q + (seq.row + row) * a.q_stride + h * D;
        T* y = a.y + (seq.row + row) * a.y_stride + h * Dv;
        const auto block = [&](void* const* blocks, int64_t j) {
          return static_cast<const T*>(blocks[j / attention_block - seq.kv.first_block]);
        };
        const auto key = [&](int64_t j) {
          return block(seq.kv.k, j) + (h / group) * D * attention_block + j % attention_block;
        };
        const auto value = [&](int64_t j, int64_t c) {
          return seq.kv.v ? block(seq.kv.v, j)[((h / group) * attention_block + j % attention_block) * Dv + c]
                          : key(j)[c * attention_block];
        };
        for (int64_t j = first; j <= position; ++j)
          p[j - first] = Score<T>(static_cast<T>(o.scale) * dot(q, key(j), D, attention_block), position - j,
                                  a.slopes ? a.slopes + h : nullptr, o)
                             .value;
        const T lse = softmax(p, position + 1 - first, a.sinks ? a.sinks + h : nullptr);
        if (a.lse) a.lse[(seq.row + row) * o.n_heads + h] = lse;
        for (int64_t c = 0; c < Dv; ++c) {
          y[c] = 0;
          for (int64_t j = first; j <= position; ++j) y[c] += p[j - first] * value(j, c);
        }
      }
  }
}

// The gradients from row n of query head h, which sees `keys` keys from row first_row on; the last one is its own. p
// and slope [keys] are scratch memory.
template <class T>
void backward_row(const AttentionBackward<T>& a, int64_t n, int64_t h, int64_t first_row, int64_t keys, T* p,
                  T* slope) noexcept {
  const AttentionOptions& o = a.options;
  const int64_t g = h / (o.n_heads / o.n_kv_heads), D = o.headdim, Dv = o.value_dim;
  const T scale = static_cast<T>(o.scale), *sink = a.sinks ? a.sinks + h : nullptr;
  const T *q = a.q + n * a.q_stride + h * D, *dy = a.dy + (n * o.n_heads + h) * Dv;
  const auto key = [&](int64_t j) { return a.k + (first_row + j) * a.k_stride + g * D; };
  const auto value = [&](int64_t j) { return a.v ? a.v + (first_row + j) * a.v_stride + g * Dv : key(j); };
  for (int64_t j = 0; j < keys; ++j) {
    const Score<T> score(scale * dot(q, key(j), D), keys - 1 - j, a.slopes ? a.slopes + h : nullptr, o);
    p[j] = score.value, slope[j] = score.slope;
  }
  const T lse = softmax(p, keys, sink), delta = dot(dy, a.y + (n * o.n_heads + h) * Dv, Dv);
  if (a.dsinks) a.dsinks[h] -= plain::exp(*sink - lse) * delta;
  T* dv = a.v ? a.dv : a.dk;
  const int64_t dv_stride = a.v ? a.dv_stride : a.dk_stride, dv_head = g * (a.v ? Dv : D);
  for (int64_t j = 0; j < keys; ++j) {
    const T ds = p[j] * (dot(dy, value(j), Dv) - delta), dproduct = scale * ds * slope[j];
    if (a.dslopes) a.dslopes[h] -= ds * static_cast<T>(keys - 1 - j);
    for (int64_t c = 0; dv && c < Dv; ++c) dv[(first_row + j) * dv_stride + dv_head + c] += p[j] * dy[c];
    for (int64_t c = 0; a.dk && c < D; ++c) a.dk[(first_row + j) * a.dk_stride + g * D + c] += dproduct * q[c];
    for (int64_t c = 0; a.dq && c < D; ++c) a.dq[n * a.dq_stride + h * D + c] += dproduct * key(j)[c];
  }
}

template <class T>
void zero_rows(T* rows, int64_t count, int64_t stride, int64_t columns) noexcept {
  for (int64_t n = 0; rows && n < count; ++n) std::fill_n(rows + n * stride, columns, T{0});
}

template <class T>
void backward(const AttentionBackward<T>& a, Exec& exec) noexcept {
  const AttentionOptions& o = a.options;
  zero_rows(a.dq, a.q_rows.total(), a.dq_stride, o.n_heads * o.headdim);
  zero_rows(a.dk, a.k_rows.total(), a.dk_stride, o.n_kv_heads * o.headdim);
  zero_rows(a.dv, a.k_rows.total(), a.dv_stride, o.n_kv_heads * o.value_dim);
  zero_rows(a.dsinks, 1, 0, o.n_heads);
  zero_rows(a.dslopes, 1, 0, o.n_heads);
  for (int64_t s = 0; s < a.q_rows.sequences(); ++s) {
    const ArenaScope scope(exec.scratch);
    T *p = exec.scratch.allocate_array<T>(a.k_rows.length(s)),
      *slope = exec.scratch.allocate_array<T>(a.k_rows.length(s));
    const int64_t earlier = a.k_rows.length(s) - a.q_rows.length(s);  // keys before the first query
    for (int64_t row = 0; row < a.q_rows.length(s); ++row)
      for (int64_t h = 0; h < o.n_heads; ++h) {
        const int64_t first = first_visible(earlier + row, 0, o.window);
        backward_row(a, a.q_rows.begin(s) + row, h, a.k_rows.begin(s) + first, earlier + row + 1 - first, p, slope);
      }
  }
}
}  // namespace

void attention_append_f32(const AttentionAppend<float>& a, Exec& exec) noexcept { append(a, exec); }

const AttentionKernels<double> attention_ref_f64{
    .append = append<double>, .forward = forward<double>, .backward = backward<double>};
const AttentionKernels<float> attention_ref_f32{
    .append = append<float>, .forward = forward<float>, .backward = backward<float>};

}  // namespace statera
