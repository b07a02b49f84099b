// The truth for attention.md: a plain softmax for each row, float or double.
#include <algorithm>
#include <cmath>

#include "ops/attention/attention.hpp"

namespace statera {

namespace {
template <class T>
T dot(const T* a, const T* b, int64_t n, int64_t b_step = 1) {
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i * b_step];
  return sum;
}

// p [keys] <- softmax(p); returns log sum exp
template <class T>
T softmax(T* p, int64_t keys) {
  const T top = *std::max_element(p, p + keys);
  T sum = 0;
  for (int64_t j = 0; j < keys; ++j) sum += p[j] = std::exp(p[j] - top);
  for (int64_t j = 0; j < keys; ++j) p[j] /= sum;
  return top + std::log(sum);
}

int64_t first_visible(int64_t position, int64_t first_key, int64_t window) {
  return window > 0 ? std::max(first_key, position - window + 1) : first_key;
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
        for (int64_t j = first; j <= position; ++j)
          p[j - first] =
              static_cast<T>(o.scale) *
              dot(q, block(seq.kv.k, j) + (h / group) * D * attention_block + j % attention_block, D, attention_block);
        const T lse = softmax(p, position + 1 - first);
        if (a.lse) a.lse[(seq.row + row) * o.n_heads + h] = lse;
        for (int64_t c = 0; c < Dv; ++c) {
          y[c] = 0;
          for (int64_t j = first; j <= position; ++j)
            y[c] += p[j - first] * block(seq.kv.v, j)[((h / group) * attention_block + j % attention_block) * Dv + c];
        }
      }
  }
}

template <class T>
void backward_row(const AttentionBackward<T>& a, int64_t n, int64_t h, int64_t first_row, int64_t keys, T* p) noexcept {
  const AttentionOptions& o = a.options;
  const int64_t g = h / (o.n_heads / o.n_kv_heads), D = o.headdim, Dv = o.value_dim;
  const T scale = static_cast<T>(o.scale);
  const T *q = a.q + n * a.q_stride + h * D, *dy = a.dy + (n * o.n_heads + h) * Dv;
  const auto key = [&](int64_t j) { return a.k + (first_row + j) * a.k_stride + g * D; };
  for (int64_t j = 0; j < keys; ++j) p[j] = scale * dot(q, key(j), D);
  softmax(p, keys);
  const T delta = dot(dy, a.y + (n * o.n_heads + h) * Dv, Dv);
  for (int64_t j = 0; j < keys; ++j) {
    const T ds = p[j] * (dot(dy, a.v + (first_row + j) * a.v_stride + g * Dv, Dv) - delta);
    for (int64_t c = 0; a.dv && c < Dv; ++c) a.dv[(first_row + j) * a.dv_stride + g * Dv + c] += p[j] * dy[c];
    for (int64_t c = 0; a.dk && c < D; ++c) a.dk[(first_row + j) * a.dk_stride + g * D + c] += scale * ds * q[c];
    for (int64_t c = 0; a.dq && c < D; ++c) a.dq[n * a.dq_stride + h * D + c] += scale * ds * key(j)[c];
  }
}

template <class T>
void backward(const AttentionBackward<T>& a, Exec& exec) noexcept {
  for (int64_t s = 0; s < a.q_rows.sequences(); ++s) {
    const ArenaScope scope(exec.scratch);
    T* p = exec.scratch.allocate_array<T>(a.k_rows.length(s));
    const int64_t earlier = a.k_rows.length(s) - a.q_rows.length(s);  // keys before the first query
    for (int64_t row = 0; row < a.q_rows.length(s); ++row)
      for (int64_t h = 0; h < a.options.n_heads; ++h) {
        const int64_t first = first_visible(earlier + row, 0, a.options.window);
        backward_row(a, a.q_rows.begin(s) + row, h, a.k_rows.begin(s) + first, earlier + row + 1 - first, p);
      }
  }
}
}  // namespace

const AttentionKernels<double> attention_ref_f64{"attention_ref", forward<double>, backward<double>};
const AttentionKernels<float> attention_ref_f32{"attention_ref", forward<float>, backward<float>};

}  // namespace statera
