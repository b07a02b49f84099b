// selective_scan in vectors over channels. How tasks and memory are planned is described in selective_scan.md. A chunk
// is scan_rows rows of a sequence here, counted from the first row of the call.
#include <algorithm>

#include "core/fetch.hpp"
#include "ops/selective_scan/selective_scan.hpp"
#include "kernels/states.hpp"

#ifndef STATERA_SELECTIVE_SCAN_CPU  // Highway compiles this file once per target
#define STATERA_SELECTIVE_SCAN_CPU
namespace statera {
constexpr int64_t scan_rows = 8;  // rows of a chunk
constexpr int64_t most_lanes = 16;

// A task: one sequence and one channel block, which lies within one group.
struct ScanBlock {
  const SelectiveScanForward<float>* a;
  const float* A;  // [d_state, stride]: A log2(e) of these channels, for Exp2
  int64_t s, group;
  int64_t channel, count;  // the first channel, and how many
  int64_t stride;          // count rounded up to whole vectors
  float* kept;             // [chunks, d_state, stride]: the states before each chunk; null: not kept
};

struct ScanGradBlock {
  ScanBlock in;
  const SelectiveScanBackward<float>* b;
  float *dA, *dD, *ddelta_bias;  // [d_state, stride], [stride], [stride]: the sums of this task
  // [N, G d_state]: the sums over the channels of this block. The task writes the rows of its sequence and the columns
  // of its group.
  float *dB, *dC;
};

// The scratch memory of one worker, for one chunk at a time. L: the vector lanes.
struct ScanGradScratch {
  float* dh;                         // [d_state, stride]: the gradient of the running state
  float *decay, *states;             // [scan_rows, d_state, L], [scan_rows + 1, d_state, L]: a[t] and h[t-1] of a chunk
  float *sum_B, *sum_C;              // [scan_rows, d_state, L]: dB and dC, summed over the channels of each vector lane
  float *dt, *u, *dtu, *dp, *slope;  // [scan_rows, L]; dtu: dt u; slope: d dt / d delta

  static int64_t floats(int64_t d_state, int64_t stride) {
    return d_state * (stride + most_lanes * (4 * scan_rows + 1)) + 5 * scan_rows * most_lanes;
  }
  ScanGradScratch(float* p, int64_t d_state, int64_t stride) {
    const auto take = [&p](int64_t n) {
      float* here = p;
      p += n;
      return here;
    };
    const int64_t chunk = scan_rows * d_state * most_lanes, row = scan_rows * most_lanes;
    dh = take(d_state * stride);
    decay = take(chunk), states = take(chunk + d_state * most_lanes), sum_B = take(chunk), sum_C = take(chunk);
    dt = take(row), u = take(row), dtu = take(row), dp = take(row), slope = take(row);
  }
};
}  // namespace statera
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/selective_scan/selective_scan_cpu.cpp"
#include "core/simd.hpp"
#include "hwy/cache_control.h"
#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"
#include "core/transpose-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

// 2^x with a relative error of 1.7e-7, x clamped to [-126, 127]. A minimax polynomial of degree 5 that is exact at 0,
// since the exponents of long memories are near 0.
HWY_INLINE LanesVec Exp2(LanesVec x) {
  const LanesTag d;
  const hn::RebindToSigned<LanesTag> di;
  const LanesVec round = hn::Set(d, 12582912.0f);  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  x = hn::Min(hn::Set(d, 127.0f), hn::Max(hn::Set(d, -126.0f), x));
  const LanesVec shifted = hn::Add(x, round);
  const LanesVec r = hn::Sub(x, hn::Sub(shifted, round));
  LanesVec p = hn::Set(d, 0.001326472731307149f);
  p = hn::MulAdd(p, r, hn::Set(d, 0.009671512991189957f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.05550733581185341f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.24022242426872253f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.6931470036506653f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

// Loads the rows of a channel block from a matrix [D, d_state], transposed to [d_state, stride] and padded with zeros.
// A null matrix is all zeros. StoreBlock is the inverse.
void LoadBlock(const ScanBlock& k, const float* matrix, float* to) {
  const int64_t d_state = k.a->d_state;
  if (!matrix || k.count < k.stride) std::fill_n(to, d_state * k.stride, 0.0f);
  if (matrix) Transpose(matrix + k.channel * d_state, d_state, k.count, d_state, to, k.stride);
}
void StoreBlock(const ScanBlock& k, const float* from, float* matrix) {
  Transpose(from, k.stride, k.a->d_state, k.count, matrix + k.channel * k.a->d_state, k.a->d_state);
}

// A log2(e) of a channel block, for Exp2.
void LoadA(const ScanBlock& k, float* to) {
  const LanesTag d;
  LoadBlock(k, k.a->A, to);
  for (int64_t i = 0; i < k.a->d_state * k.stride; i += static_cast<int64_t>(hn::Lanes(d)))
    hn::Store(hn::Mul(hn::Load(d, to + i), hn::Set(d, 1.4426950408889634f)), d, to + i);
}

// The inputs of the channels of one vector at one row.
struct Step {
  LanesVec dt, u, dtu, slope;  // slope: d dt / d delta
};
template <class IO>
HWY_INLINE Step LoadStep(const ScanBlock& k, int64_t row, int64_t channel, LanesVec bias, IO io) {
  const auto& a = *k.a;
  const LanesVec raw = hn::Add(io.load(a.delta + row * a.delta_stride + channel), bias);
  LanesVec slope = hn::Set(LanesTag(), 1.0f);
  const LanesVec dt = a.delta_softplus ? Softplus(LanesTag(), raw, slope) : raw,
                 u = io.load(a.u + row * a.u_stride + channel);
  return {dt, u, hn::Mul(dt, u), slope};
}
HWY_INLINE const float* RowOfB(const ScanBlock& k, int64_t row) {
  return k.a->B + row * k.a->B_stride + k.group * k.a->d_state;
}
HWY_INLINE const float* RowOfC(const ScanBlock& k, int64_t row) {
  return k.a->C + row * k.a->C_stride + k.group * k.a->d_state;
}
// Fetches what a row of the next chunk reads. The hardware does not foresee accesses to one vector in each of many
// rows, and waiting for them was half of the time of forward.
HWY_INLINE void FetchStep(const ScanBlock& k, int64_t row, int64_t channel) {
  const auto& a = *k.a;
  hwy::Prefetch(a.delta + row * a.delta_stride + channel);
  hwy::Prefetch(a.u + row * a.u_stride + channel);
  if (a.z) hwy::Prefetch(a.z + row * a.z_stride + channel);
}
template <class IO>
HWY_INLINE LanesVec LoadOptional(const float* p, int64_t channel, IO io) {
  return p ? io.load(p + channel) : hn::Zero(LanesTag());
}

// Advances h by `rows` rows from row0 on, at most scan_rows, and writes the output. What does not depend on h is
// computed first for all rows, so that its latencies overlap. They would not otherwise: the instructions for the states
// of one row fill the window in which the CPU looks ahead.
HWY_INLINE void Scan(const ScanBlock& k, int64_t row0, int64_t rows, float* HWY_RESTRICT h) {
  const LanesTag d;
  const auto& a = *k.a;
  const int64_t end = a.rows.begin(k.s) + a.rows.length(k.s);
  // Local copies stay in registers. The compiler must assume that a vector store changes a struct.
  const int64_t d_state = a.d_state, stride = k.stride;
  ForLanes(k.count, [&](int64_t c, auto io) HWY_ATTR {
    const int64_t channel = k.channel + c;
    const float* HWY_RESTRICT A = k.A + c;
    float* HWY_RESTRICT h_c = h + c;
    const LanesVec bias = LoadOptional(a.delta_bias, channel, io), D = LoadOptional(a.D, channel, io);
    LanesVec dts[scan_rows], dtus[scan_rows], ps[scan_rows];
    for (int64_t i = 0; i < rows; ++i) {
      if (row0 + i + scan_rows < end) FetchStep(k, row0 + i + scan_rows, channel);
      const Step at = LoadStep(k, row0 + i, channel, bias, io);
      dts[i] = at.dt;
      dtus[i] = at.dtu;
      ps[i] = hn::Mul(D, at.u);
    }
    for (int64_t i = 0; i < rows; ++i) {
      const float *B = RowOfB(k, row0 + i), *C = RowOfC(k, row0 + i);
      const LanesVec dt = dts[i], dtu = dtus[i];
      LanesVec p = ps[i];
      for (int64_t n = 0; n < d_state; ++n) {
        const LanesVec decay = Exp2(hn::Mul(dt, hn::Load(d, A + n * stride)));
        const LanesVec now = hn::MulAdd(decay, hn::Load(d, h_c + n * stride), hn::Mul(dtu, hn::Set(d, B[n])));
        hn::Store(now, d, h_c + n * stride);
        p = hn::MulAdd(now, hn::Set(d, C[n]), p);
      }
      ps[i] = p;
    }
    for (int64_t i = 0; i < rows; ++i) {
      LanesVec p = ps[i];
      if (a.z) p = hn::Mul(p, Silu(d, io.load(a.z + (row0 + i) * a.z_stride + channel)));
      io.store(p, a.y + (row0 + i) * a.channels + channel);
    }
  });
}

// A task of forward; h [d_state, stride] is scratch memory.
void ForwardBlock(const ScanBlock& k, float* h) {
  const auto& a = *k.a;
  const int64_t begin = a.rows.begin(k.s), length = a.rows.length(k.s);
  LoadBlock(k, initial_state(a.state_in, a.rows, k.s), h);
  for (int64_t t = 0; t < length; t += scan_rows) {
    if (k.kept) std::copy_n(h, a.d_state * k.stride, k.kept + t / scan_rows * a.d_state * k.stride);
    Scan(k, begin + t, std::min(scan_rows, length - t), h);
  }
  StoreBlock(k, h, a.state_out[k.s]);
}

// Scans a chunk again for the vector of channels at c: from the kept states `start`, it fills the decays, states and
// other factors that Descend needs. Writes dz.
template <class IO>
HWY_INLINE void Replay(const ScanGradBlock& k, const ScanGradScratch& m, const float* start, int64_t row0, int64_t rows,
                       int64_t c, IO io) {
  const LanesTag d;
  const auto& a = *k.in.a;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t channel = k.in.channel + c;
  const LanesVec bias = LoadOptional(a.delta_bias, channel, io), D = LoadOptional(a.D, channel, io);
  const int64_t d_state = a.d_state, stride = k.in.stride;
  const float* HWY_RESTRICT A = k.in.A + c;
  const bool more = row0 > a.rows.begin(k.in.s);
  // The kept states of the previous chunk, which is the next to be handled.
  for (int64_t n = 0; more && n < d_state; ++n) hwy::Prefetch(start + (n - d_state) * stride + c);
  for (int64_t n = 0; n < d_state; ++n) hn::Store(hn::Load(d, start + n * stride + c), d, m.states + n * lanes);
  LanesVec ps[scan_rows];
  for (int64_t i = 0; i < rows; ++i) {  // what does not depend on the states, as in Scan
    const int64_t row = row0 + i, next = row - scan_rows;
    if (next >= a.rows.begin(k.in.s)) {
      FetchStep(k.in, next, channel);
      hwy::Prefetch(k.b->dy + next * a.channels + channel);
    }
    const Step at = LoadStep(k.in, row, channel, bias, io);
    hn::Store(at.dt, d, m.dt + i * lanes);
    hn::Store(at.u, d, m.u + i * lanes);
    hn::Store(at.dtu, d, m.dtu + i * lanes);
    hn::Store(at.slope, d, m.slope + i * lanes);
    ps[i] = hn::Mul(D, at.u);
  }
  for (int64_t i = 0; i < rows; ++i) {
    const float *B = RowOfB(k.in, row0 + i), *C = RowOfC(k.in, row0 + i);
    const float* before = m.states + i * d_state * lanes;
    float *now = m.states + (i + 1) * d_state * lanes, *decays = m.decay + i * d_state * lanes;
    const LanesVec dt = hn::Load(d, m.dt + i * lanes), dtu = hn::Load(d, m.dtu + i * lanes);
    LanesVec p = ps[i];
    for (int64_t n = 0; n < d_state; ++n) {
      const LanesVec decay = Exp2(hn::Mul(dt, hn::Load(d, A + n * stride)));
      const LanesVec h = hn::MulAdd(decay, hn::Load(d, before + n * lanes), hn::Mul(dtu, hn::Set(d, B[n])));
      hn::Store(decay, d, decays + n * lanes);
      hn::Store(h, d, now + n * lanes);
      p = hn::MulAdd(h, hn::Set(d, C[n]), p);
    }
    ps[i] = p;
  }
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = row0 + i;
    LanesVec dp = io.load(k.b->dy + row * a.channels + channel);
    if (a.z) {
      const LanesVec z = io.load(a.z + row * a.z_stride + channel);
      const LanesVec one = hn::Set(d, 1.0f), gate = Sigmoid(d, z);
      io.store(hn::Mul(hn::Mul(dp, ps[i]), hn::Mul(gate, hn::MulAdd(z, hn::Sub(one, gate), one))),
               k.b->dz + row * k.b->dz_stride + channel);
      dp = hn::Mul(dp, hn::Mul(z, gate));
    }
    hn::Store(dp, d, m.dp + i * lanes);
  }
  if (rows == scan_rows) return;
  // Fill up a short chunk with rows that pass the gradient through (decay 1) and add nothing.
  std::fill_n(m.decay + rows * d_state * lanes, (scan_rows - rows) * d_state * lanes, 1.0f);
  std::fill_n(m.states + (rows + 1) * d_state * lanes, (scan_rows - rows) * d_state * lanes, 0.0f);
  for (float* of_row : {m.dt, m.dtu, m.dp}) std::fill_n(of_row + rows * lanes, (scan_rows - rows) * lanes, 0.0f);
}

// Takes the gradient back over a chunk for the vector of channels at c. It handles one state at a time over all rows,
// with the gradients of the state and of its A, and the sums of each row, in registers. Rows that fill up a short chunk
// change nothing (see Replay).
template <class IO>
HWY_INLINE void Descend(const ScanGradBlock& k, const ScanGradScratch& m, int64_t row0, int64_t rows, int64_t c,
                        IO io) {
  const LanesTag d;
  const auto& a = *k.in.a;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t channel = k.in.channel + c, stride = k.in.stride, d_state = a.d_state;
  const float *B[scan_rows], *C[scan_rows];
  LanesVec sum_B[scan_rows], sum_A[scan_rows];
  for (int64_t i = 0; i < scan_rows; ++i) {
    const int64_t row = row0 + std::min(i, rows - 1);
    B[i] = RowOfB(k.in, row);
    C[i] = RowOfC(k.in, row);
    sum_B[i] = sum_A[i] = hn::Zero(d);
  }
  for (int64_t n = 0; n < d_state; ++n) {
    const LanesVec A = hn::Load(d, k.in.A + n * stride + c);
    LanesVec dh = hn::Load(d, m.dh + n * stride + c), dA = hn::Load(d, k.dA + n * stride + c);
    LanesVec h = hn::Load(d, m.states + (scan_rows * d_state + n) * lanes);
#pragma GCC unroll 8
    for (int64_t j = 0; j < scan_rows; ++j) {
      const int64_t i = scan_rows - 1 - j;
      const int64_t at = (i * d_state + n) * lanes;
      const LanesVec dp = hn::Load(d, m.dp + i * lanes);
      dh = hn::MulAdd(dp, hn::Set(d, C[i][n]), dh);
      hn::Store(hn::MulAdd(dp, h, hn::Load(d, m.sum_C + at)), d, m.sum_C + at);
      hn::Store(hn::MulAdd(dh, hn::Load(d, m.dtu + i * lanes), hn::Load(d, m.sum_B + at)), d, m.sum_B + at);
      sum_B[i] = hn::MulAdd(dh, hn::Set(d, B[i][n]), sum_B[i]);
      dh = hn::Mul(dh, hn::Load(d, m.decay + at));  // the gradient of h[t-1]
      h = hn::Load(d, m.states + at);
      const LanesVec exponent = hn::Mul(dh, h);  // the gradient of dt A
      dA = hn::MulAdd(exponent, hn::Load(d, m.dt + i * lanes), dA);
      sum_A[i] = hn::MulAdd(exponent, A, sum_A[i]);
    }
    hn::Store(dh, d, m.dh + n * stride + c);
    hn::Store(dA, d, k.dA + n * stride + c);
  }
  const LanesVec D = LoadOptional(a.D, channel, io), ln2 = hn::Set(d, 0.6931471805599453f);
  LanesVec dD = hn::Load(d, k.dD + c), dbias = hn::Load(d, k.ddelta_bias + c);
  for (int64_t i = rows; i-- > 0;) {
    const int64_t row = row0 + i;
    const LanesVec dt = hn::Load(d, m.dt + i * lanes), u = hn::Load(d, m.u + i * lanes),
                   dp = hn::Load(d, m.dp + i * lanes);
    io.store(hn::MulAdd(dt, sum_B[i], hn::Mul(dp, D)), k.b->du + row * k.b->du_stride + channel);
    const LanesVec ddt = hn::MulAdd(u, sum_B[i], hn::Mul(sum_A[i], ln2));
    const LanesVec ddelta = hn::Mul(ddt, hn::Load(d, m.slope + i * lanes));
    io.store(ddelta, k.b->ddelta + row * k.b->ddelta_stride + channel);
    dbias = hn::Add(dbias, ddelta);
    dD = hn::MulAdd(dp, u, dD);
  }
  hn::Store(dD, d, k.dD + c);
  hn::Store(dbias, d, k.ddelta_bias + c);
}

// A task of backward.
void BackwardBlock(const ScanGradBlock& k, const ScanGradScratch& m) {
  const LanesTag d;
  const auto& a = *k.in.a;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t begin = a.rows.begin(k.in.s), length = a.rows.length(k.in.s), state = a.d_state * k.in.stride;
  const int64_t chunks = (length + scan_rows - 1) / scan_rows, bc_width = a.n_groups * a.d_state;
  const float* initial = initial_state(a.state_in, a.rows, k.in.s);
  LoadBlock(k.in, k.b->dstate_out ? k.b->dstate_out[k.in.s] : nullptr, m.dh);
  for (int64_t chunk = chunks; chunk-- > 0;) {
    const int64_t row0 = begin + chunk * scan_rows, rows = std::min(scan_rows, begin + length - row0);
    std::fill_n(m.sum_B, scan_rows * a.d_state * lanes, 0.0f);
    std::fill_n(m.sum_C, scan_rows * a.d_state * lanes, 0.0f);
    ForLanes(k.in.count, [&](int64_t c, auto io) HWY_ATTR {
      Replay(k, m, k.in.kept + chunk * state, row0, rows, c, io);
      Descend(k, m, row0, rows, c, io);
    });
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t n = 0; n < a.d_state; ++n) {
        const int64_t at = (row0 + i) * bc_width + k.in.group * a.d_state + n;
        k.dB[at] = Sum(hn::Load(d, m.sum_B + (i * a.d_state + n) * lanes));
        k.dC[at] = Sum(hn::Load(d, m.sum_C + (i * a.d_state + n) * lanes));
      }
  }
  if (!k.b->dstate_in) return;
  if (!initial) std::fill_n(m.dh, state, 0.0f);
  StoreBlock(k.in, m.dh, k.b->dstate_in[k.in.s]);
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(LoadA);
HWY_EXPORT(ForwardBlock);
HWY_EXPORT(BackwardBlock);
constexpr int64_t block_channels = 128, rows_per_task = 64;
constexpr int64_t operations = 16;  // per state and row, for the pool's estimate: most are for the exponential

int64_t divide_up(int64_t n, int64_t by) { return (n + by - 1) / by; }

// How the channels are cut: each group into channel blocks of nearly equal width.
struct Cut {
  const SelectiveScanForward<float>& a;
  int64_t group_channels, per_group, width;  // width: channels of a block, rounded up to whole vectors
  explicit Cut(const SelectiveScanForward<float>& a)
      : a(a),
        group_channels(a.channels / a.n_groups),
        per_group(divide_up(group_channels, block_channels)),
        width(divide_up(divide_up(group_channels, per_group), most_lanes) * most_lanes) {}
  int64_t blocks() const { return a.n_groups * per_group; }
  ScanBlock block_of_channels(int64_t block) const {  // s, A and kept are not set
    const int64_t group = block / per_group, first = block % per_group * width;
    const int64_t count = std::clamp<int64_t>(group_channels - first, 0, width);
    return {.a = &a,
            .A = nullptr,
            .s = 0,
            .group = group,
            .channel = group * group_channels + first,
            .count = count,
            .stride = width,
            .kept = nullptr};
  }
};

int64_t kept(const SelectiveScanForward<float>& a) noexcept {
  const Cut cut(a);
  int64_t chunks = 0;
  for (int64_t s = 0; s < a.rows.sequences(); ++s) chunks += divide_up(a.rows.length(s), scan_rows);
  return cut.blocks() * chunks * a.d_state * cut.width;
}

int64_t packed(const SelectiveScanForward<float>& a) noexcept {
  const Cut cut(a);
  return cut.blocks() * a.d_state * cut.width;
}

void pack(const SelectiveScanForward<float>& a, float* to, Exec& exec) noexcept {
  const Cut cut(a);
  const auto load = HWY_DYNAMIC_DISPATCH(LoadA);
  exec.pool.run(
      cut.blocks(), [&](int64_t task, int) { load(cut.block_of_channels(task), to + task * a.d_state * cut.width); },
      a.channels * a.d_state);
}

// The tasks of a call, and A for all channel blocks: the caller's, or packed here into scratch memory.
struct Plan : Cut {
  const float* A;        // [blocks, d_state, width]
  int64_t* first_chunk;  // [S + 1]: how many chunks all earlier sequences have

  Plan(const SelectiveScanForward<float>& a, Exec& exec)
      : Cut(a), A(a.packed_A), first_chunk(exec.scratch.allocate_array<int64_t>(a.rows.sequences() + 1)) {
    first_chunk[0] = 0;
    for (int64_t s = 0; s < a.rows.sequences(); ++s)
      first_chunk[s + 1] = first_chunk[s] + divide_up(a.rows.length(s), scan_rows);
    if (A) return;
    float* own = exec.scratch.allocate_array<float>(packed(a));
    pack(a, own, exec);
    A = own;
  }
  int64_t tasks() const { return a.rows.sequences() * blocks(); }
  ScanBlock block(int64_t s, int64_t block) const {
    ScanBlock k = block_of_channels(block);
    // how many chunks are kept before those of this task
    const int64_t chunks = blocks() * first_chunk[s] + block * (first_chunk[s + 1] - first_chunk[s]);
    k.A = A + block * a.d_state * width;
    k.s = s;
    if (a.kept) k.kept = a.kept + chunks * a.d_state * width;
    return k;
  }
};

void forward(const SelectiveScanForward<float>& a, Exec& exec) noexcept {
  const ArenaScope scope(exec.scratch);
  const Plan plan(a, exec);
  const int64_t state = a.d_state * plan.width;
  float* h = exec.scratch.allocate_array<float>(exec.pool.size() * state);
  const auto run = HWY_DYNAMIC_DISPATCH(ForwardBlock);
  const bool steps = a.rows.total() <= a.rows.sequences(), alone = a.rows.sequences() == 1;
  const auto block = [&](int64_t task) { return plan.block(task / plan.blocks(), task % plan.blocks()); };
  // What a task of a step prefetches. With several sequences, the state of the next task. With one sequence, its own
  // state and A, which is not in cache then.
  const auto fetch_for = [&](int64_t task) {
    if (task >= plan.tasks()) return;
    const ScanBlock k = block(task);
    if (const float* initial = initial_state(a.state_in, a.rows, k.s))
      fetch(initial + k.channel * a.d_state, k.count * a.d_state);
    if (alone) fetch(k.A, state);
  };
  const auto part = [&](int64_t task, int worker) {
    if (steps) fetch_for(alone ? task : task + 1);
    run(block(task), h + worker * state);
  };
  const int64_t work = a.rows.total() * a.channels * a.d_state * operations;
  if (steps)
    exec.pool.run_in_order(plan.tasks(), part, work);
  else
    exec.pool.run(plan.tasks(), part, work);
}

// to = the sum of `parts` dense matrices [rows, width], which follow each other at `from`, in their order.
void add_parts(const float* from, int64_t parts, int64_t rows, int64_t width, float* to, int64_t to_stride,
               Exec& exec) {
  exec.pool.run(divide_up(rows, rows_per_task), [&](int64_t task, int) {
    for (int64_t row = task * rows_per_task; row < std::min(rows, (task + 1) * rows_per_task); ++row) {
      std::copy_n(from + row * width, width, to + row * to_stride);
      for (int64_t part = 1; part < parts; ++part)
        for (int64_t i = 0; i < width; ++i) to[row * to_stride + i] += from[(part * rows + row) * width + i];
    }
  });
}

void backward(const SelectiveScanBackward<float>& b, Exec& exec) noexcept {
  const auto& a = b.in;
  const ArenaScope scope(exec.scratch);
  const Plan plan(a, exec);
  const int64_t rows = a.rows.total(), bc_width = a.n_groups * a.d_state, state = a.d_state * plan.width;
  const int64_t sums = state + 2 * plan.width, scratch_floats = ScanGradScratch::floats(a.d_state, plan.width);
  float* channel_sums = exec.scratch.allocate_array<float>(plan.tasks() * sums);  // [S, blocks] of dA, dD, ddelta_bias
  float* dB = exec.scratch.allocate_array<float>(plan.per_group * rows * bc_width);
  float* dC = exec.scratch.allocate_array<float>(plan.per_group * rows * bc_width);
  float* scratch = exec.scratch.allocate_array<float>(exec.pool.size() * scratch_floats);
  const auto run = HWY_DYNAMIC_DISPATCH(BackwardBlock);
  exec.pool.run(plan.tasks(), [&](int64_t task, int worker) {
    const int64_t block = task % plan.blocks(), part = block % plan.per_group * rows * bc_width;
    float* own = channel_sums + task * sums;
    std::fill_n(own, sums, 0.0f);
    run({.in = plan.block(task / plan.blocks(), block),
         .b = &b,
         .dA = own,
         .dD = own + state,
         .ddelta_bias = own + state + plan.width,
         .dB = dB + part,
         .dC = dC + part},
        ScanGradScratch(scratch + worker * scratch_floats, a.d_state, plan.width));
  });
  add_parts(dB, plan.per_group, rows, bc_width, b.dB, b.dB_stride, exec);
  add_parts(dC, plan.per_group, rows, bc_width, b.dC, b.dC_stride, exec);
  exec.pool.run(plan.blocks(), [&](int64_t block, int) {
    const ScanBlock k = plan.block(0, block);
    const auto sum = [&](int64_t at) {
      float total = 0;
      for (int64_t s = 0; s < a.rows.sequences(); ++s) total += channel_sums[(s * plan.blocks() + block) * sums + at];
      return total;
    };
    for (int64_t c = 0; c < k.count; ++c) {
      for (int64_t n = 0; n < a.d_state; ++n) b.dA[(k.channel + c) * a.d_state + n] = sum(n * plan.width + c);
      if (b.dD) b.dD[k.channel + c] = sum(state + c);
      if (b.ddelta_bias) b.ddelta_bias[k.channel + c] = sum(state + plan.width + c);
    }
  });
}
}  // namespace

const SelectiveScanKernels<float> selective_scan_cpu{
    .kept = kept, .packed = packed, .pack = pack, .forward = forward, .backward = backward};

}  // namespace statera
#endif
