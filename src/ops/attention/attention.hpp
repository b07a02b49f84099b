// attention: causal softmax attention, grouped heads, optional window. See attention.md.
#pragma once
#include "core/exec.hpp"
#include "core/rows.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct AttentionOptions {
  int64_t n_heads = 1, n_kv_heads = 1;  // Hq, Hkv
  int64_t headdim = 0, value_dim = 0;   // D, Dv; value_dim 0: headdim
  int64_t window = 0;                   // keys that a query sees, its own included; 0: all
  double scale = 0;                     // 0: headdim^-0.5
};

inline constexpr int64_t attention_block = 64;  // positions

// The blocks of one sequence. Block b, of the positions 64 b .. 64 b + 63, is at [b - first_block]: k [Hkv, D, 64], v
// [Hkv, 64, Dv].
struct KvBlocks {
  void* const* k = nullptr;
  void* const* v = nullptr;
  int64_t first_block = 0;
  int64_t first_key = 0;  // position of the first key that is there
};

// Queries at positions first_query .. first_query + queries - 1, rows from `row` on; all keys up to the last one are in
// the blocks.
struct AttentionSequence {
  KvBlocks kv;
  int64_t row, queries, first_query;
};

template <class T>
struct AttentionForward {
  const T* q;  // [Nq, Hq * D], rows q_stride apart
  T* y;        // [Nq, Hq * Dv], rows y_stride apart
  T* lse;      // [Nq, Hq]; null: not wanted
  int64_t q_stride, y_stride;
  const AttentionSequence* sequences;  // [S]
  int64_t n_sequences;
  AttentionOptions options;  // all set
};

template <class T>
struct AttentionBackward {
  const T *q, *k, *v;     // rows *_stride apart
  const T *y, *dy, *lse;  // dense
  T *dq, *dk, *dv;        // added to; rows d*_stride apart; null: not wanted
  int64_t q_stride, k_stride, v_stride, dq_stride, dk_stride, dv_stride;
  Rows q_rows, k_rows;
  AttentionOptions options;
};

template <class T>
struct AttentionKernels {
  const char* name;
  void (*forward)(const AttentionForward<T>&, Exec&) noexcept;
  void (*backward)(const AttentionBackward<T>&, Exec&) noexcept;
};
extern const AttentionKernels<double> attention_ref_f64;
extern const AttentionKernels<float> attention_ref_f32, attention_cpu;

// Inference. Writes the rows of k [N, Hkv * D] and v [N, Hkv * Dv] into the blocks of their sequences [S], which must
// be there.
void attention_append(Exec&, const View& k, const View& v, const Rows&, std::span<const KvBlocks>,
                      const AttentionOptions&);
// q [N, Hq * D] -> y [N, Hq * Dv], over keys and values that attention_append has written up to the last row.
void attention(Exec&, const View& q, const View& y, const Rows&, std::span<const KvBlocks>, const AttentionOptions&);

// Training. Row i of sequence s stands at start[s] + i, for queries and for keys; both end at the same position, and
// there are at least as many keys. Throws shape.
Var attention(Tape&, Var q, Var k, Var v, const Rows& q_rows, const Rows& k_rows, const AttentionOptions&);

std::vector<OpCase> attention_cases();

}  // namespace statera
