// How ssd_cpu cuts its work: pieces of chunks, tasks of heads, and the scratch memory of a task.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/carver.hpp"
#include "kernels/pieces.hpp"

namespace statera {

struct SsdTask {
  // heads [head, head + heads) share a group, of which they are block number `block`
  int64_t sequence, head, heads, block;
};

// Sizes that depend on nothing but the shapes of one sequence's work, so that neither threads nor neighbours change a
// sum.
struct SsdPlan {
  static constexpr int64_t heads_per_task = 4;  // share C B^T; their states fit into L2

  // chunk: rows of the longest piece; blocks: of heads in a group
  int64_t P, N, chunk, ld, heads, blocks, groups, pieces;

  SsdPlan(const Rows& rows, int64_t headdim, int64_t d_state, int64_t chunk_size, int64_t n_heads, int64_t n_groups)
      : P(headdim),
        N(d_state),
        chunk(0),
        heads(std::min(heads_per_task, n_heads / n_groups)),
        blocks((n_heads / n_groups + heads_per_task - 1) / heads_per_task),
        groups(n_groups),
        pieces(0) {
    for (int64_t s = 0; s < rows.sequences(); ++s) {
      chunk = std::max(chunk, std::min(rows.length(s), chunk_size));
      pieces = std::max(pieces, Pieces(rows, s, chunk_size).count());
    }
    ld = Carver::padded(chunk);  // rows of [.., ld] matrices end on a vector
  }
  int64_t tasks(const Rows& rows) const { return rows.sequences() * groups * blocks; }
  SsdTask task(int64_t i, int64_t n_heads) const {
    const int64_t block = i % blocks, group = i / blocks % groups, in_group = n_heads / groups,
                  first = block * heads_per_task;
    return {i / blocks / groups, group * in_group + first, std::min(heads_per_task, in_group - first), block};
  }
};

// One head in one piece; a_t = dt_t A. All [ld] but skip [P].
struct SsdDecay {
  float *raw, *dt, *slope;     // before and after softplus and clamp; d dt / d raw
  float* a;                    // a_t
  float *from_start, *to_end;  // exp(a_0 + .. + a_t), exp(a_{t+1} + .. + a_last)
  float* weight;               // to_end dt: of a row in the state after the piece
  float* segment;              // room for sums over segments
  float* skip;                 // D of each channel; 0 if there is none
  SsdDecay(const SsdPlan& plan, Carver& carve)
      : raw(carve.take(plan.ld)),
        dt(carve.take(plan.ld)),
        slope(carve.take(plan.ld)),
        a(carve.take(plan.ld)),
        from_start(carve.take(plan.ld)),
        to_end(carve.take(plan.ld)),
        weight(carve.take(plan.ld)),
        segment(carve.take(plan.ld)),
        skip(carve.take(plan.P)) {}
};

// All heads of a task in a piece of few rows, which go one by one: [rows, heads].
struct SsdSteps {
  static constexpr int64_t most_rows = 8;  // up to so many the recurrence is cheaper than the chunk
  static constexpr int64_t most = most_rows * SsdPlan::heads_per_task;
  float *raw, *A, *dt, *decay;
  explicit SsdSteps(Carver& carve)
      : raw(carve.take(most)), A(carve.take(most)), dt(carve.take(most)), decay(carve.take(most)) {}
};

struct SsdForwardScratch {
  SsdPlan plan;
  SsdDecay decay;
  SsdSteps steps;
  float *bt, *cb;   // B^T [N, ld]; C B^T [chunk, ld], the lower triangle
  float* mix;       // [chunk, ld]: C B^T with decays and dt
  float* weighted;  // x with weights [chunk, P]
  float* states;    // [heads, N, P]
  SsdForwardScratch(const SsdPlan& plan, Carver& carve)
      : plan(plan),
        decay(plan, carve),
        steps(carve),
        bt(carve.take(plan.N * plan.ld)),
        cb(carve.take(plan.chunk * plan.ld)),
        mix(carve.take(plan.chunk * plan.ld)),
        weighted(carve.take(plan.chunk * plan.P)),
        states(carve.take(plan.heads * plan.N * plan.P)) {}
};

struct SsdBackwardScratch {
  SsdPlan plan;
  SsdDecay decay;
  float *bt, *ct, *cb, *mix, *weighted;
  float *xt, *dyt;         // x^T, dy^T [P, ld]
  float* dmix;             // dy x^T [chunk, ld]
  float* product;          // [N, ld]
  float *dcb, *dbt, *dct;  // gradients of C B^T [chunk, ld], B^T and C^T [N, ld], summed over the heads of the task
  float *da, *ddt, *by_b, *by_c;  // [ld]
  float *states, *dstates;        // [heads, pieces, N, P] before each piece; [heads, N, P]
  SsdBackwardScratch(const SsdPlan& plan, Carver& carve)
      : plan(plan),
        decay(plan, carve),
        bt(carve.take(plan.N * plan.ld)),
        ct(carve.take(plan.N * plan.ld)),
        cb(carve.take(plan.chunk * plan.ld)),
        mix(carve.take(plan.chunk * plan.ld)),
        weighted(carve.take(plan.chunk * plan.P)),
        xt(carve.take(plan.P * plan.ld)),
        dyt(carve.take(plan.P * plan.ld)),
        dmix(carve.take(plan.chunk * plan.ld)),
        product(carve.take(plan.N * plan.ld)),
        dcb(carve.take(plan.chunk * plan.ld)),
        dbt(carve.take(plan.N * plan.ld)),
        dct(carve.take(plan.N * plan.ld)),
        da(carve.take(plan.ld)),
        ddt(carve.take(plan.ld)),
        by_b(carve.take(plan.ld)),
        by_c(carve.take(plan.ld)),
        states(carve.take(plan.heads * plan.pieces * plan.N * plan.P)),
        dstates(carve.take(plan.heads * plan.N * plan.P)) {}
};

struct SsdGroupGrads {  // [rows, G N]
  float *dB, *dC;
  int64_t dB_stride, dC_stride;
};
struct SsdTaskGrads {  // of the task's sequence, all heads; zero at first
  SsdGroupGrads group;
  double *dA, *ddt_bias;
  float* dD;
};

template <class Scratch>
int64_t ssd_scratch_floats(const SsdPlan& plan) {
  Carver carve(nullptr);
  const Scratch scratch(plan, carve);
  return carve.used();
}

}  // namespace statera
