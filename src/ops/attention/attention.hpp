// attention: causal softmax attention with grouped heads and an optional window. See attention.md, also for the symbols
// of the shapes (Hq, Hkv, D, Dv).
#pragma once
#include "core/rows.hpp"
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct AttentionOptions {
  int64_t n_heads = 1, n_kv_heads = 1;  // Hq, Hkv
  int64_t headdim = 0, value_dim = 0;   // D, Dv; value_dim 0: headdim
  int64_t window = 0;                   // keys that a query sees, its own included; 0: all
  double scale = 0;                     // factor of q . k; 0: headdim^-0.5
  double soft_cap = 0;                  // scores stay within +- soft_cap (Gemma 2); 0: no cap
};

inline constexpr int64_t attention_block = 64;  // positions in a key block

// What attention reads; V is Var (training) or View (inference). Each has a gradient.
template <class V>
struct AttentionInputs {
  V q{};       // [Nq, Hq * D]
  V k{};       // [Nk, Hkv * D]
  V v{};       // [Nk, Hkv * Dv]; empty: the first Dv channels of each head of k, as the latent keys of MLA are
  V sinks{};   // [Hq]: a score that takes part in the softmax and has no value (gpt-oss); empty: none
  V slopes{};  // [Hq]: ALiBi, slope * (i - j) is taken from the score of query i and key j; empty: none
};

// The key blocks of one sequence, borrowed. Key block b has the positions 64 b .. 64 b + 63 and is at index
// b - first_block of both arrays: k [Hkv, D, 64], v [Hkv, 64, Dv].
struct KvBlocks {
  void* const* k = nullptr;
  void* const* v = nullptr;  // null: the values are the first Dv channels of the keys
  int64_t first_block = 0;
  int64_t first_key = 0;  // position of the first key that exists
};

// The queries of one sequence: the rows [row, row + queries), at the positions [first_query, first_query + queries).
// The key blocks hold all keys up to the position of the last query.
struct AttentionSequence {
  KvBlocks kv;
  int64_t row, queries, first_query;
};

template <class T>
struct AttentionAppend {
  const T *k, *v;          // [N, Hkv * D], [N, Hkv * Dv], rows *_stride apart; v may be null
  const KvBlocks* blocks;  // [S]
  int64_t k_stride, v_stride;
  Rows rows;
  AttentionOptions options;  // value_dim and scale are not 0
};

template <class T>
struct AttentionForward {
  const T* q;               // [Nq, Hq * D], rows q_stride apart
  const T *sinks, *slopes;  // [Hq]; each may be null
  T* y;                     // [Nq, Hq * Dv], rows y_stride apart
  T* lse;                   // [Nq, Hq]; may be null
  int64_t q_stride, y_stride;
  const AttentionSequence* sequences;  // [S]
  int64_t n_sequences;
  AttentionOptions options;  // value_dim and scale are not 0
};

template <class T>
struct AttentionBackward {
  const T *q, *k, *v;       // rows *_stride apart; v null: the first Dv channels of each head of k
  const T *sinks, *slopes;  // [Hq]; each may be null
  const T *y, *dy, *lse;    // dense
  T *dq, *dk, *dv;          // rows d*_stride apart; each may be null; without v, dk includes the gradient of the values
  T *dsinks, *dslopes;      // [Hq]; each may be null
  int64_t q_stride, k_stride, v_stride, dq_stride, dk_stride, dv_stride;
  Rows q_rows, k_rows;
  AttentionOptions options;
};

template <class T>
struct AttentionKernels {
  Kernel<void(const AttentionAppend<T>&, Exec&) noexcept> append;
  Kernel<void(const AttentionForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const AttentionBackward<T>&, Exec&) noexcept> backward;
};
void attention_append_f32(const AttentionAppend<float>&, Exec&) noexcept;  // it moves memory: also the fast path
extern const AttentionKernels<double> attention_ref_f64;
extern const AttentionKernels<float> attention_ref_f32, attention_cpu;
inline constexpr Kernels<AttentionKernels> attention_kernels{
    .op = "attention", .f64 = &attention_ref_f64, .f32 = &attention_ref_f32, .f32_cpu = &attention_cpu};

// Inference. Writes the rows of k and v into the key blocks of their sequences [S]. The caller has allocated the blocks
// (State::reserve). Throws ErrorCode::shape.
void attention_append(Exec&, const View& k, const View& v, const Rows&, std::span<const KvBlocks>,
                      const AttentionOptions&);
// Inference -> y [N, Hq * Dv]. Reads the keys and values that attention_append has written, up to those of the last
// row; in.k and in.v are not read. Throws ErrorCode::shape.
void attention(Exec&, const AttentionInputs<View>& in, const View& y, const Rows&, std::span<const KvBlocks>,
               const AttentionOptions&);

// Training -> y [Nq, Hq * Dv]. Row i of sequence s is at position start[s] + i, for queries and for keys. In each
// sequence both end at the same position, and there are at least as many keys as queries. Throws ErrorCode::shape.
Var attention(Tape&, const AttentionInputs<Var>&, const Rows& q_rows, const Rows& k_rows, const AttentionOptions&);

std::vector<OpCase> attention_cases();

}  // namespace statera
