// How ssd_cpu cuts its work: pieces of chunks, tasks of heads, and the scratch memory of a task.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/carver.hpp"
#include "kernels/pieces.hpp"

namespace statera {

// The heads [head, head + heads) of one sequence. They are in one group, whose heads are cut into blocks; `block`
// counts these.
struct SsdTask {
  int64_t sequence, head, heads, block;
};

// How a call is cut into tasks, and how large their matrices are. The cut depends only on the numbers of heads and
// groups, so that neither threads nor other sequences change a sum.
struct SsdPlan {
  static constexpr int64_t heads_per_task = 4;  // they share C B^T, and their states fit into L2

  // P: headdim; N: d_state; chunk: rows of the longest piece; ld: the same, padded; heads: the most heads of a task;
  // blocks: blocks of heads per group; pieces: the most pieces of a sequence.
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
    ld = Carver::padded(chunk);  // the rows of matrices [.., ld] are whole vectors
  }
  int64_t tasks(const Rows& rows) const { return rows.sequences() * groups * blocks; }
  SsdTask task(int64_t i, int64_t n_heads) const {
    const int64_t block = i % blocks, group = i / blocks % groups, in_group = n_heads / groups,
                  first = block * heads_per_task;
    return {i / blocks / groups, group * in_group + first, std::min(heads_per_task, in_group - first), block};
  }
};

// Step sizes and decays of one head in one piece; a_t = dt_t A. Each array is [ld], except skip [P].
struct SsdDecay {
  float *raw, *dt, *slope;     // before and after softplus and clamp; d dt / d raw
  float* a;                    // a_t
  float *from_start, *to_end;  // exp(a_0 + .. + a_t), exp(a_{t+1} + .. + a_last)
  float* weight;               // to_end dt: the weight of a row in the state after the piece
  float* segment;              // scratch memory for sums of a over runs of rows
  float* skip;                 // D of each channel; 0 without D
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

// The same for all heads of a task in a piece of few rows, which are computed one by one: [rows, heads].
struct SsdSteps {
  static constexpr int64_t most_rows = 8;  // up to this many rows the recurrence is cheaper than the chunked form
  static constexpr int64_t most = most_rows * SsdPlan::heads_per_task;
  float *raw, *A, *dt, *decay;
  explicit SsdSteps(Carver& carve)
      : raw(carve.take(most)), A(carve.take(most)), dt(carve.take(most)), decay(carve.take(most)) {}
};

// The scratch memory of a task of forward.
struct SsdForwardScratch {
  SsdPlan plan;
  SsdDecay decay;
  SsdSteps steps;
  float *bt, *cb;   // B^T [N, ld]; the lower triangle of C B^T [chunk, ld]
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

// The scratch memory of a task of backward.
struct SsdBackwardScratch {
  SsdPlan plan;
  SsdDecay decay;
  float *bt, *ct, *cb, *mix, *weighted;  // as in forward; C^T [N, ld]
  float *xt, *dyt;                       // x^T, dy^T [P, ld]
  float* dmix;                           // dy x^T [chunk, ld]
  float* product;                        // [N, ld]: g' times x^T, or S times dy^T
  float *dcb, *dbt, *dct;  // gradients of C B^T [chunk, ld], B^T and C^T [N, ld], summed over the heads of the task
  // [ld]: gradients of a and dt; x_u . g' B_u and dy_t . S C_t of each row, with g' and S as in ssd.md
  float *da, *ddt, *by_b, *by_c;
  float *states, *dstates;  // states before each piece [heads, pieces, N, P]; gradients of the states [heads, N, P]
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

// Where a task writes dB and dC, [rows, G N] each.
struct SsdGroupGrads {
  float *dB, *dC;
  int64_t dB_stride, dC_stride;
};
// dA, ddt_bias and dD have the heads of one sequence and are 0 at first; a task adds to those of its heads.
struct SsdTaskGrads {
  SsdGroupGrads group;
  double *dA, *ddt_bias;
  float* dD;
};

// How many floats of scratch memory a task needs.
template <class Scratch>
int64_t ssd_scratch_floats(const SsdPlan& plan) {
  Carver carve(nullptr);
  const Scratch scratch(plan, carve);
  return carve.used();
}

}  // namespace statera
