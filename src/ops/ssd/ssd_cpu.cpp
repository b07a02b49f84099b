// ssd in chunks. A task is a few heads of one group in one sequence. It goes through the pieces (kernels/pieces.hpp) in
// order and keeps the states of its heads in cache, transposed to [d_state, P], so that each product of ssd.md is a
// Tile. A piece of few rows, as the ends of a slice may leave, is computed row by row on states [P, d_state]. Backward
// first computes the states before each piece again and then goes through the pieces from the last to the first.
#include "ops/ssd/ssd.hpp"

#include <algorithm>

#include "core/fetch.hpp"
#include "kernels/states.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/ssd/ssd_cpu.cpp"
#include "core/simd.hpp"
#include "ops/ssd/chunk-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

// mix[t, u] = cb[t, u] exp(a_{u+1} + .. + a_t) dt_u for u <= t, and 0 after that, as far as the triangular products
// read. Each sum is taken over its own run of rows: a difference of two long sums would lose small decays beside a
// large one.
void Mixing(const SsdForwardScratch& w, int64_t q) {
  const D d;
  const int64_t ld = w.plan.ld;
  float* segment = w.decay.segment;
  std::fill_n(segment, ld, 0.0f);
  for (int64_t t = 0; t < q; ++t) {
    const V a = hn::Set(d, w.decay.a[t]), row = hn::Set(d, static_cast<float>(t));
    int64_t u = 0;
    for (; u <= t; u += lanes) {
      const V index = hn::Iota(d, static_cast<float>(u));
      const V sum = hn::IfThenElseZero(hn::Lt(index, row), hn::Add(hn::LoadU(d, segment + u), a));
      const V mix = hn::Mul(hn::LoadU(d, w.cb + t * ld + u), hn::Mul(Exp(d, sum), hn::LoadU(d, w.decay.dt + u)));
      hn::StoreU(sum, d, segment + u);
      hn::StoreU(hn::IfThenElseZero(hn::Le(index, row), mix), d, w.mix + t * ld + u);
    }
    for (; u < BlockEnd(t, ld); u += lanes) hn::StoreU(hn::Zero(d), d, w.mix + t * ld + u);
  }
}

// One head in one piece, in the chunked form: writes y and updates the state [N, P]. `fresh`: the state before the
// piece is zero, and `state` is not initialised.
void ForwardChunk(const SsdForward<float>& f, const Piece& piece, int64_t h, const SsdForwardScratch& w, float* state,
                  bool fresh) {
  const int64_t P = f.headdim, N = f.d_state, q = piece.length, y_stride = f.n_heads * P,
                g = h / (f.n_heads / f.n_groups);
  const float *x = f.x + piece.row * f.x_stride + h * P, *B = f.B + piece.row * f.B_stride + g * N,
              *C = f.C + piece.row * f.C_stride + g * N;
  float* y = f.y + piece.row * y_stride + h * P;
  FindDecay(f, piece, h, w.decay);
  Mixing(w, q);
  if (!fresh) Tile<false>(C, f.C_stride, 1, state, P, y, y_stride, q, P, N);
  for (int64_t t = 0; t < q; ++t)
    ScaleAndSkip(fresh ? nullptr : w.decay.from_start + t, w.decay.skip, x + t * f.x_stride, y + t * y_stride, P);
  for (int64_t t = 0; t < q; t += row_block)
    Tile<true>(w.mix + t * w.plan.ld, w.plan.ld, 1, x, f.x_stride, y + t * y_stride, y_stride,
               std::min(row_block, q - t), P, BlockEnd(t, q));
  WeighRows(w.decay.weight, x, f.x_stride, q, P, w.weighted);
  MoveState({.keys = B,
             .stride = f.B_stride,
             .weighted = w.weighted,
             .total = w.decay.from_start[q - 1],
             .from = fresh ? nullptr : state,
             .to = state},
            q, N, P);
}

// One row for `channels` channels of a head, side by side: updates state [channels, N] and writes y [channels].
template <int channels>
HWY_INLINE void StepChannels(float* HWY_RESTRICT state, int64_t N, float keep, float dt, const float* HWY_RESTRICT B,
                             const float* HWY_RESTRICT C, const float* HWY_RESTRICT skip, const float* HWY_RESTRICT x,
                             float* HWY_RESTRICT y) {
  const D d;
  V dt_x[channels], sum[channels];
#pragma GCC unroll 4
  for (int p = 0; p < channels; ++p) dt_x[p] = hn::Set(d, dt * x[p]), sum[p] = hn::Zero(d);
  ForLanes(N, [&](int64_t n, auto io) HWY_ATTR {
    const V b = io.load(B + n), c = io.load(C + n);
#pragma GCC unroll 4
    for (int p = 0; p < channels; ++p) {
      const V moved = hn::MulAdd(hn::Set(d, keep), io.load(state + p * N + n), hn::Mul(dt_x[p], b));
      io.store(moved, state + p * N + n);
      sum[p] = hn::MulAdd(moved, c, sum[p]);
    }
  });
#pragma GCC unroll 4
  for (int p = 0; p < channels; ++p) y[p] = Sum(sum[p]) + skip[p] * x[p];
}

// One piece of few rows by the recurrence, for head task.head + j: writes y and updates the state [P, N]. Reads
// w.steps.
void ForwardSteps(const SsdForward<float>& f, const Piece& piece, const SsdTask& task, int64_t j,
                  const SsdForwardScratch& w, float* state) {
  const int64_t P = f.headdim, N = f.d_state, h = task.head + j, g = h / (f.n_heads / f.n_groups);
  const float* skip = w.decay.skip;
  FindSkip(f, h, w.decay.skip);
  for (int64_t t = 0; t < piece.length; ++t) {
    const int64_t row = piece.row + t;
    const float *x = f.x + row * f.x_stride + h * P, *B = f.B + row * f.B_stride + g * N,
                *C = f.C + row * f.C_stride + g * N;
    const float keep = w.steps.decay[t * task.heads + j], dt = w.steps.dt[t * task.heads + j];
    float* y = f.y + (row * f.n_heads + h) * P;
    int64_t p = 0;
    for (; p + 4 <= P; p += 4) {
      // The states of the next head follow in memory.
      if (p + 16 < P || h + 1 < f.n_heads) fetch(state + (p + 16) * N, 4 * N);
      StepChannels<4>(state + p * N, N, keep, dt, B, C, skip + p, x + p, y + p);
    }
    for (; p < P; ++p) StepChannels<1>(state + p * N, N, keep, dt, B, C, skip + p, x + p, y + p);
  }
}

void ForwardTask(const SsdForward<float>& f, const SsdPlan& plan, const SsdTask& task, float* scratch) {
  Carver carve(scratch);
  const SsdForwardScratch w(plan, carve);
  const int64_t P = f.headdim, N = f.d_state, size = P * N, s = task.sequence, g = task.head / (f.n_heads / f.n_groups);
  float* natural = f.state_out[s] + task.head * size;  // [heads, P, N]; transposed, in w.states: [heads, N, P]
  const float* initial = initial_state(f.state_in, f.rows, s);
  bool fresh = !initial, transposed = false;  // fresh: the states are zero; transposed: they are in w.states now
  if (fresh)
    std::fill_n(natural, task.heads * size, 0.0f);
  else if (initial != f.state_out[s])
    std::copy_n(initial + task.head * size, task.heads * size, natural);
  const auto move_states = [&](bool to_transposed) {
    for (int64_t j = 0; j < task.heads && transposed != to_transposed; ++j) {
      if (to_transposed)
        Transpose(natural + j * size, N, P, N, w.states + j * size, P);
      else
        Transpose(w.states + j * size, P, N, P, natural + j * size, N);
    }
    transposed = to_transposed;
  };
  const Pieces pieces(f.rows, s, f.chunk_size);
  for (int64_t i = 0; i < pieces.count(); ++i) {
    const Piece piece = pieces[i];
    const bool steps = piece.length <= SsdSteps::most_rows;
    if (!fresh) move_states(!steps);
    transposed = !steps;
    if (steps) {
      FindSteps(f, piece, task, w.steps);
    } else {
      Transpose(f.B + piece.row * f.B_stride + g * N, f.B_stride, piece.length, N, w.bt, plan.ld);
      LowerProduct(f.C + piece.row * f.C_stride + g * N, f.C_stride, w.bt, w.cb, plan.ld, piece.length, N);
    }
    for (int64_t j = 0; j < task.heads; ++j) {
      if (steps)
        ForwardSteps(f, piece, task, j, w, natural + j * size);
      else
        ForwardChunk(f, piece, task.head + j, w, w.states + j * size, fresh);
    }
    fresh = false;
  }
  move_states(false);
}

// Computes `mix` of forward again, and the gradients through it. On entry, dmix = dy x^T, the gradient of mix. On
// return, dmix[t, u] is the gradient of a_{u+1} + .. + a_t for t > u. Adds to dcb, and sets ddt[u] to what dt_u gets as
// a factor of column u.
void MixingGradient(const SsdBackwardScratch& w, int64_t q) {
  const D d;
  const int64_t ld = w.plan.ld;
  float* segment = w.decay.segment;
  std::fill_n(segment, ld, 0.0f);
  std::fill_n(w.ddt, ld, 0.0f);
  for (int64_t t = 0; t < q; ++t) {
    const V a = hn::Set(d, w.decay.a[t]), row = hn::Set(d, static_cast<float>(t));
    int64_t u = 0;
    for (; u <= t; u += lanes) {
      const int64_t at = t * ld + u;
      const V index = hn::Iota(d, static_cast<float>(u)), dt = hn::LoadU(d, w.decay.dt + u);
      const auto upto = hn::Le(index, row), before = hn::Lt(index, row);
      const V sum = hn::IfThenElseZero(before, hn::Add(hn::LoadU(d, segment + u), a));
      hn::StoreU(sum, d, segment + u);
      const V decay = hn::IfThenElseZero(upto, Exp(d, sum)), dmix = hn::IfThenElseZero(upto, hn::LoadU(d, w.dmix + at));
      const V decayed = hn::IfThenElseZero(upto, hn::Mul(decay, hn::LoadU(d, w.cb + at)));
      const V by_dt = hn::Mul(dmix, decayed);
      hn::StoreU(hn::Mul(decayed, dt), d, w.mix + at);
      hn::StoreU(hn::MulAdd(hn::Mul(dmix, decay), dt, hn::LoadU(d, w.dcb + at)), d, w.dcb + at);
      hn::StoreU(hn::Add(by_dt, hn::LoadU(d, w.ddt + u)), d, w.ddt + u);
      hn::StoreU(hn::IfThenElseZero(before, hn::Mul(by_dt, dt)), d, w.dmix + at);
    }
    for (; u < BlockEnd(t, ld); u += lanes) hn::StoreU(hn::Zero(d), d, w.mix + t * ld + u);
  }
}

// da[k] = sum over t >= k > u of dmix[t, u]: what a_k gets from all pairs (t, u) whose sum contains it. Again without a
// difference of long sums.
void SegmentGradient(const SsdBackwardScratch& w, int64_t q) {
  const D d;
  float* below = w.decay.segment;  // for each column, the sum over the rows t >= k
  std::fill_n(below, w.plan.ld, 0.0f);
  w.da[0] = 0;
  for (int64_t k = q - 1; k > 0; --k) {
    const V row = hn::Set(d, static_cast<float>(k));
    V sum = hn::Zero(d);
    for (int64_t u = 0; u < k; u += lanes) {
      const V column = hn::Add(hn::LoadU(d, below + u), hn::LoadU(d, w.dmix + k * w.plan.ld + u));
      hn::StoreU(column, d, below + u);
      sum = hn::Add(sum, hn::IfThenElseZero(hn::Lt(hn::Iota(d, static_cast<float>(u)), row), column));
    }
    w.da[k] = Sum(sum);
  }
}

// sum[n, u] += scale[u] w.product[n, u], and dot[u] = sum over n of w.product[n, u] with[n, u].
void AddProduct(const SsdBackwardScratch& w, int64_t q, const float* scale, const float* with, float* sum, float* dot) {
  const D d;
  for (int64_t u = 0; u < q; u += lanes) {
    const V factor = hn::LoadU(d, scale + u);
    V total = hn::Zero(d);
    for (int64_t at = u; at < w.plan.N * w.plan.ld; at += w.plan.ld) {
      const V product = hn::LoadU(d, w.product + at);
      total = hn::MulAdd(product, hn::LoadU(d, with + at), total);
      hn::StoreU(hn::MulAdd(product, factor, hn::LoadU(d, sum + at)), d, sum + at);
    }
    hn::StoreU(total, d, dot + u);
  }
}

// Gradients of a head, summed over its sequence.
struct HeadSums {
  double *dA, *ddt_bias;  // in double: long sums in which much cancels
  float* dD;              // one number or [P]; null: there is no D
};

// Turns the gradients of a and dt into those of dt's input, A and dt_bias. `through`: what every a of the piece gets
// because the whole piece decays the state before it.
void DtGradient(const SsdBackward<float>& b, const Piece& piece, int64_t h, const SsdBackwardScratch& w, float through,
                const HeadSums& sums) {
  double before = through, behind = 0;
  // Row k reaches the state after the piece through the decays of all later rows.
  for (int64_t k = 0; k < piece.length; ++k) {
    w.da[k] += static_cast<float>(before);
    before += w.decay.weight[k] * w.by_b[k];
  }
  // Row k reads the state before the piece through the decays up to its own.
  for (int64_t k = piece.length; k-- > 0;) {
    behind += w.decay.from_start[k] * w.by_c[k];
    const double da = w.da[k] + behind;
    const double ddt = (w.ddt[k] + w.decay.to_end[k] * w.by_b[k] + b.in.A[h] * da) * w.decay.slope[k];
    b.ddt[(piece.row + k) * b.ddt_stride + h] = static_cast<float>(ddt);
    *sums.dA += w.decay.dt[k] * da;
    *sums.ddt_bias += ddt;
  }
}

// Adds the sum of x dy over the rows to dD: per channel, or one sum over all channels.
void SkipGradient(const float* x, int64_t x_stride, const float* dy, int64_t dy_stride, const Piece& piece, int64_t P,
                  bool per_channel, float* dD) {
  V total = hn::Zero(D());
  for (int64_t t = 0; t < piece.length; ++t)
    ForLanes(P, [&](int64_t p, auto io) HWY_ATTR {
      const V product = hn::Mul(io.load(x + t * x_stride + p), io.load(dy + t * dy_stride + p));
      if (per_channel)
        io.store(hn::Add(product, io.load(dD + p)), dD + p);
      else
        total = hn::Add(total, product);
    });
  if (!per_channel) *dD += Sum(total);
}

// One head in one piece. `state` [N, P]: the state before the piece; null: zero. `dstate` [N, P]: on entry the gradient
// of the state after the piece (if `last`: zero, and not initialised), on return that of the state before it.
struct BackwardHead {
  const SsdBackward<float>& b;
  const SsdBackwardScratch& w;
  Piece piece;
  int64_t h;
  const float* state;
  float* dstate;
  bool last;
};

// Writes dx and ddt, and adds to dcb, dbt and dct of the task and to the sums of the head. The names are those of
// ssd.md.
void BackwardChunk(const BackwardHead& c, const HeadSums& sums) {
  const SsdForward<float>& f = c.b.in;
  const SsdBackwardScratch& w = c.w;
  const int64_t P = f.headdim, N = f.d_state, q = c.piece.length, row = c.piece.row, ld = w.plan.ld,
                g = c.h / (f.n_heads / f.n_groups);
  const int64_t dy_stride = f.n_heads * P;
  const float *x = f.x + row * f.x_stride + c.h * P, *B = f.B + row * f.B_stride + g * N,
              *C = f.C + row * f.C_stride + g * N;
  const float* dy = c.b.dy + row * dy_stride + c.h * P;
  float* dx = c.b.dx + row * c.b.dx_stride + c.h * P;

  FindDecay(f, c.piece, c.h, w.decay);
  Transpose(x, f.x_stride, q, P, w.xt, ld);
  LowerProduct(dy, dy_stride, w.xt, w.dmix, ld, q, P);
  MixingGradient(w, q);
  SegmentGradient(w, q);

  if (!c.last) Tile<false>(B, f.B_stride, 1, c.dstate, P, dx, c.b.dx_stride, q, P, N);
  for (int64_t u = 0; u < q; ++u)
    ScaleAndSkip(c.last ? nullptr : w.decay.weight + u, w.decay.skip, dy + u * dy_stride, dx + u * c.b.dx_stride, P);
  for (int64_t u = 0; u < q; u += row_block)
    Tile<true>(w.mix + u * ld + u, 1, ld, dy + u * dy_stride, dy_stride, dx + u * c.b.dx_stride, c.b.dx_stride,
               std::min(row_block, q - u), P, q - u);

  std::fill_n(w.by_b, ld, 0.0f);
  std::fill_n(w.by_c, ld, 0.0f);
  if (!c.last) {
    Tile<false>(c.dstate, P, 1, w.xt, ld, w.product, ld, N, q, P);
    AddProduct(w, q, w.decay.weight, w.bt, w.dbt, w.by_b);
  }
  if (c.state) {
    Transpose(dy, dy_stride, q, P, w.dyt, ld);
    Tile<false>(c.state, P, 1, w.dyt, ld, w.product, ld, N, q, P);
    AddProduct(w, q, w.decay.from_start, w.ct, w.dct, w.by_c);
  }
  float through = 0;
  const float total = w.decay.from_start[q - 1];
  if (c.state && !c.last) {
    V dot = hn::Zero(D());
    ForLanes(N * P,
             [&](int64_t i, auto io) HWY_ATTR { dot = hn::MulAdd(io.load(c.state + i), io.load(c.dstate + i), dot); });
    through = total * Sum(dot);
  }
  DtGradient(c.b, c.piece, c.h, w, through, sums);
  if (sums.dD) SkipGradient(x, f.x_stride, dy, dy_stride, c.piece, P, f.D_per_channel, sums.dD);
  WeighRows(w.decay.from_start, dy, dy_stride, q, P, w.weighted);
  MoveState({.keys = C,
             .stride = f.C_stride,
             .weighted = w.weighted,
             .total = total,
             .from = c.last ? nullptr : c.dstate,
             .to = c.dstate},
            q, N, P);
}

// Writes the rows of dB and dC of one piece: the sum of what came through the states and what came through C B^T.
void WriteGroup(const SsdBackward<float>& b, const SsdBackwardScratch& w, const Piece& piece, int64_t g,
                const SsdGroupGrads& out) {
  const SsdForward<float>& f = b.in;
  const int64_t N = f.d_state, q = piece.length, ld = w.plan.ld;
  const float *B = f.B + piece.row * f.B_stride + g * N, *C = f.C + piece.row * f.C_stride + g * N;
  float *dB = out.dB + piece.row * out.dB_stride + g * N, *dC = out.dC + piece.row * out.dC_stride + g * N;
  Transpose(w.dbt, ld, N, q, dB, out.dB_stride);
  Transpose(w.dct, ld, N, q, dC, out.dC_stride);
  for (int64_t t = 0; t < q; t += row_block) {
    const int64_t rows = std::min(row_block, q - t);
    Tile<true>(w.dcb + t * ld, ld, 1, B, f.B_stride, dC + t * out.dC_stride, out.dC_stride, rows, N, BlockEnd(t, q));
    Tile<true>(w.dcb + t * ld + t, 1, ld, C + t * f.C_stride, f.C_stride, dB + t * out.dB_stride, out.dB_stride, rows,
               N, q - t);
  }
}

// Computes the states [N, P] of a head before each of its pieces again. They differ from those of forward only by the
// rounding of short pieces.
void StatesAgain(const SsdForward<float>& f, const SsdBackwardScratch& w, int64_t s, int64_t h, float* states) {
  const int64_t P = f.headdim, N = f.d_state, size = P * N, g = h / (f.n_heads / f.n_groups);
  const Pieces pieces(f.rows, s, f.chunk_size);
  const float* initial = initial_state(f.state_in, f.rows, s);
  if (initial) Transpose(initial + h * size, N, P, N, states, P);
  for (int64_t i = 0; i + 1 < pieces.count(); ++i) {
    const Piece piece = pieces[i];
    FindDecay(f, piece, h, w.decay);
    WeighRows(w.decay.weight, f.x + piece.row * f.x_stride + h * P, f.x_stride, piece.length, P, w.weighted);
    const float* from = !initial && i == 0 ? nullptr : states + i * size;
    MoveState({.keys = f.B + piece.row * f.B_stride + g * N,
               .stride = f.B_stride,
               .weighted = w.weighted,
               .total = w.decay.from_start[piece.length - 1],
               .from = from,
               .to = states + (i + 1) * size},
              piece.length, N, P);
  }
}

void BackwardTask(const SsdBackward<float>& b, const SsdPlan& plan, const SsdTask& task, float* scratch,
                  const SsdTaskGrads& out) {
  const SsdForward<float>& f = b.in;
  Carver carve(scratch);
  const SsdBackwardScratch w(plan, carve);
  const int64_t P = f.headdim, N = f.d_state, size = P * N, s = task.sequence, g = task.head / (f.n_heads / f.n_groups);
  const Pieces pieces(f.rows, s, f.chunk_size);
  const bool zero = !initial_state(f.state_in, f.rows, s);
  bool last = !b.dstate_out;
  for (int64_t j = 0; j < task.heads; ++j) {
    StatesAgain(f, w, s, task.head + j, w.states + j * plan.pieces * size);
    if (!last) Transpose(b.dstate_out[s] + (task.head + j) * size, N, P, N, w.dstates + j * size, P);
  }
  for (int64_t i = pieces.count(); i-- > 0; last = false) {
    const Piece piece = pieces[i];
    const float *B = f.B + piece.row * f.B_stride + g * N, *C = f.C + piece.row * f.C_stride + g * N;
    Transpose(B, f.B_stride, piece.length, N, w.bt, plan.ld);
    Transpose(C, f.C_stride, piece.length, N, w.ct, plan.ld);
    LowerProduct(C, f.C_stride, w.bt, w.cb, plan.ld, piece.length, N);
    std::fill_n(w.dcb, plan.chunk * plan.ld, 0.0f);
    std::fill_n(w.dbt, N * plan.ld, 0.0f);
    std::fill_n(w.dct, N * plan.ld, 0.0f);
    for (int64_t j = 0; j < task.heads; ++j) {
      const int64_t h = task.head + j, dD_size = f.D_per_channel ? P : 1;
      const float* state = zero && i == 0 ? nullptr : w.states + (j * plan.pieces + i) * size;
      BackwardChunk(
          {.b = b, .w = w, .piece = piece, .h = h, .state = state, .dstate = w.dstates + j * size, .last = last},
          {.dA = out.dA + h, .ddt_bias = out.ddt_bias + h, .dD = f.D ? out.dD + h * dD_size : nullptr});
    }
    WriteGroup(b, w, piece, g, out.group);
  }
  for (int64_t j = 0; j < task.heads && b.dstate_in; ++j) {
    float* dstate = b.dstate_in[s] + (task.head + j) * size;
    if (zero || last)
      std::fill_n(dstate, size, 0.0f);
    else
      Transpose(w.dstates + j * size, P, N, P, dstate, N);
  }
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(ForwardTask);
HWY_EXPORT(BackwardTask);
constexpr int64_t rows_per_task = 64;

void forward(const SsdForward<float>& f, Exec& exec) noexcept {
  const SsdPlan plan(f.rows, f.headdim, f.d_state, f.chunk_size, f.n_heads, f.n_groups);
  const int64_t floats = ssd_scratch_floats<SsdForwardScratch>(plan);
  const ArenaScope scope(exec.scratch);
  float* scratch = exec.scratch.allocate_array<float>(floats * exec.pool.size());
  const auto run = HWY_DYNAMIC_DISPATCH(ForwardTask);
  const auto part = [&](int64_t i, int worker) { run(f, plan, plan.task(i, f.n_heads), scratch + worker * floats); };
  exec.pool.run(plan.tasks(f.rows), part, f.rows.total() * f.n_heads * f.headdim * f.d_state);
}

// out [size] = the sum of `count` parts, in their order; null: not needed.
template <class T>
void sum_parts(const T* parts, int64_t count, int64_t size, float* out) {
  for (int64_t i = 0; i < size && out; ++i) {
    double sum = 0;
    for (int64_t part = 0; part < count; ++part) sum += parts[part * size + i];
    out[i] = static_cast<float>(sum);
  }
}

// out = the sum of parts [blocks, rows, G d_state] over the blocks of heads of a group, in their order.
void sum_blocks(const float* parts, const SsdForward<float>& f, int64_t blocks, float* out, int64_t stride,
                Exec& exec) {
  const int64_t rows = f.rows.total(), width = f.n_groups * f.d_state;
  exec.pool.run((rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t row = task * rows_per_task; row < std::min(rows, (task + 1) * rows_per_task); ++row)
      for (int64_t block = 0; block < blocks; ++block) {
        const float* part = parts + (block * rows + row) * width;
        float* to = out + row * stride;
        for (int64_t i = 0; i < width; ++i) to[i] = block == 0 ? part[i] : to[i] + part[i];
      }
  });
}

void backward(const SsdBackward<float>& b, Exec& exec) noexcept {
  const SsdForward<float>& f = b.in;
  const SsdPlan plan(f.rows, f.headdim, f.d_state, f.chunk_size, f.n_heads, f.n_groups);
  const int64_t floats = ssd_scratch_floats<SsdBackwardScratch>(plan), sequences = f.rows.sequences(), H = f.n_heads;
  const int64_t dD_size = f.D_per_channel ? H * f.headdim : H, width = f.n_groups * f.d_state,
                part = f.rows.total() * width;
  const ArenaScope scope(exec.scratch);
  const auto allocate = [&](int64_t count) { return exec.scratch.allocate_array<float>(count); };
  double* dA = exec.scratch.allocate_array<double>(sequences * H);
  double* ddt_bias = exec.scratch.allocate_array<double>(sequences * H);
  float *scratch = allocate(floats * exec.pool.size()), *dD = allocate(sequences * dD_size),
        *dB = plan.blocks > 1 ? allocate(plan.blocks * part) : nullptr;
  float* dC = plan.blocks > 1 ? allocate(plan.blocks * part) : nullptr;
  std::fill_n(dA, sequences * H, 0.0);
  std::fill_n(ddt_bias, sequences * H, 0.0);
  std::fill_n(dD, sequences * dD_size, 0.0f);
  const auto run = HWY_DYNAMIC_DISPATCH(BackwardTask);
  exec.pool.run(plan.tasks(f.rows), [&](int64_t i, int worker) {
    const SsdTask task = plan.task(i, H);
    const SsdGroupGrads group =
        plan.blocks > 1 ? SsdGroupGrads{.dB = dB + task.block * part,
                                        .dC = dC + task.block * part,
                                        .dB_stride = width,
                                        .dC_stride = width}
                        : SsdGroupGrads{.dB = b.dB, .dC = b.dC, .dB_stride = b.dB_stride, .dC_stride = b.dC_stride};
    run(b, plan, task, scratch + worker * floats,
        {.group = group,
         .dA = dA + task.sequence * H,
         .ddt_bias = ddt_bias + task.sequence * H,
         .dD = dD + task.sequence * dD_size});
  });
  sum_parts(dA, sequences, H, b.dA);
  sum_parts(ddt_bias, sequences, H, b.ddt_bias);
  sum_parts(dD, sequences, dD_size, b.dD);
  if (plan.blocks == 1) return;
  sum_blocks(dB, f, plan.blocks, b.dB, b.dB_stride, exec);
  sum_blocks(dC, f, plan.blocks, b.dC, b.dC_stride, exec);
}
}  // namespace

const SsdKernels<float> ssd_cpu{.forward = forward, .backward = backward};

}  // namespace statera
#endif
