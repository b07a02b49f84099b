// causal_conv1d in vectors over channels. Output rows and the gradients of input rows are weighted sums of d_conv rows, from x, from
// the state, or a row of zeros: one function does both. A task is a block of rows; for the weights' gradient a block of channels.
#include <algorithm>

#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/states.hpp"

#ifndef STATERA_CAUSAL_CONV1D_CPU  // this file is read once a target
#define STATERA_CAUSAL_CONV1D_CPU
namespace statera {
struct RowSum {              // output row i is the sum of rows[i + j] weight[j]
  const float* const* rows;  // [count + W - 1], each [C]
  const float* weight;       // [W, C]
  const float* add;          // [C] or null
  const float* dy;           // [count, C]: y = dy * silu'(sum); null: y = silu(sum) or the sum
  float* y;                  // [count, C], rows y_stride apart
  int64_t y_stride, count, channels, width;
  bool silu;
};
struct TapSums {             // of a block of channels
  const float* g;            // [count, C]
  const float* const* rows;  // [count + W - 1], each [C]
  float* dweight;            // [W, C]
  float* dbias;              // [C]
  int64_t count, channels, width;
};
}  // namespace statera
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/causal_conv1d/causal_conv1d_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"
#include "core/transpose-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

// `count` rows from row i, side by side: they share the weights.
template <int count>
HWY_INLINE void SumSome(const RowSum& a, int64_t i) {
  const LanesTag d;
  ForLanes(a.channels, [&](int64_t c, auto io) HWY_ATTR {
    LanesVec sum[count];
#pragma GCC unroll 4
    for (int r = 0; r < count; ++r) sum[r] = a.add ? io.load(a.add + c) : hn::Zero(d);
    for (int64_t j = 0; j < a.width; ++j) {
      const LanesVec weight = io.load(a.weight + j * a.channels + c);
#pragma GCC unroll 4
      for (int r = 0; r < count; ++r) sum[r] = hn::MulAdd(weight, io.load(a.rows[i + r + j] + c), sum[r]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < count; ++r) {
      if (a.dy) sum[r] = hn::Mul(io.load(a.dy + (i + r) * a.channels + c), SiluGrad(d, sum[r]));
      else if (a.silu) sum[r] = Silu(d, sum[r]);
      io.store(sum[r], a.y + (i + r) * a.y_stride + c);
    }
  });
}

void SumRows(const RowSum& a) {
  int64_t i = 0;
  for (; i + 4 <= a.count; i += 4) SumSome<4>(a, i);
  for (; i < a.count; ++i) SumSome<1>(a, i);
}

// Adds g[i] rows[i + j] to dweight[j] for the taps j .. j + taps - 1, for `count` channels from c0.
template <int taps>
HWY_INLINE void AddSome(const TapSums& a, int64_t j, int64_t c0, int64_t count) {
  ForLanes(count, [&](int64_t k, auto io) HWY_ATTR {
    const int64_t c = c0 + k;
    LanesVec sum[taps];
#pragma GCC unroll 4
    for (int t = 0; t < taps; ++t) sum[t] = io.load(a.dweight + (j + t) * a.channels + c);
    for (int64_t i = 0; i < a.count; ++i) {
      const LanesVec g = io.load(a.g + i * a.channels + c);
#pragma GCC unroll 4
      for (int t = 0; t < taps; ++t) sum[t] = hn::MulAdd(g, io.load(a.rows[i + j + t] + c), sum[t]);
    }
#pragma GCC unroll 4
    for (int t = 0; t < taps; ++t) io.store(sum[t], a.dweight + (j + t) * a.channels + c);
  });
}

void AddTaps(const TapSums& a, int64_t c0, int64_t count) {
  ForLanes(count, [&](int64_t k, auto io) HWY_ATTR {
    LanesVec sum = io.load(a.dbias + c0 + k);
    for (int64_t i = 0; i < a.count; ++i) sum = hn::Add(sum, io.load(a.g + i * a.channels + c0 + k));
    io.store(sum, a.dbias + c0 + k);
  });
  int64_t j = 0;
  for (; j + 4 <= a.width; j += 4) AddSome<4>(a, j, c0, count);
  for (; j < a.width; ++j) AddSome<1>(a, j, c0, count);
}

// [C, W] to [W, C]
void WeightByTaps(const float* weight, int64_t channels, int64_t width, float* to) { Transpose(weight, width, channels, width, to, channels); }

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(SumRows);
HWY_EXPORT(AddTaps);
HWY_EXPORT(WeightByTaps);
constexpr int64_t rows_per_task = 16, channels_per_task = 64;

int64_t blocks(int64_t n, int64_t size) { return (n + size - 1) / size; }

// What all rows need: the weights as [W, C], a row of zeros, and for each worker the rows that meet the taps at a block of rows.
struct Scratch {
  float *weight, *zeros;
  int64_t row_pointers;
  const float** rows;

  Scratch(const CausalConv1dForward<float>& a, Exec& exec)
      : weight(exec.scratch.allocate_array<float>(a.width * a.channels)),
        zeros(exec.scratch.allocate_array<float>(a.channels)),
        row_pointers(rows_per_task + a.width - 1),
        rows(exec.scratch.allocate_array<const float*>(exec.pool.size() * row_pointers)) {
    HWY_DYNAMIC_DISPATCH(WeightByTaps)(a.weight, a.channels, a.width, weight);
    std::fill_n(zeros, a.channels, 0.0f);
  }
  const float** of(int worker) const { return rows + worker * row_pointers; }
};

int64_t sequence_of(const Rows& rows, int64_t n) {
  return std::upper_bound(rows.offsets.begin(), rows.offsets.end(), n) - rows.offsets.begin() - 1;
}

// xs[t] of sequence s, t >= -(W-1)
const float* input_row(const CausalConv1dForward<float>& a, const float* zeros, int64_t s, int64_t t) {
  if (t >= 0) return a.x + (a.rows.begin(s) + t) * a.x_stride;
  const float* state = initial_state(a.state_in, a.rows, s);
  return state ? state + (a.width - 1 + t) * a.channels : zeros;
}

// The rows that meet the taps at rows t .. t + count - 1 of sequence s.
void gather(const CausalConv1dForward<float>& a, const float* zeros, int64_t s, int64_t t, int64_t count, const float** rows) {
  for (int64_t i = 0; i < count + a.width - 1; ++i) rows[i] = input_row(a, zeros, s, t + i - (a.width - 1));
}

// out[n] = silu(p[n]), or dy[n] silu'(p[n]) if dy is there.
void sum_inputs(const CausalConv1dForward<float>& a, const Scratch& scratch, const float* dy, float* out, Exec& exec) {
  const auto sum_rows = HWY_DYNAMIC_DISPATCH(SumRows);
  exec.pool.run(blocks(a.rows.total(), rows_per_task), [&](int64_t task, int worker) {
    const float** rows = scratch.of(worker);
    const int64_t end = std::min(a.rows.total(), (task + 1) * rows_per_task);
    for (int64_t n = task * rows_per_task, count = 0; n < end; n += count) {
      const int64_t s = sequence_of(a.rows, n), t = n - a.rows.begin(s);
      count = std::min(end - n, a.rows.length(s) - t);
      gather(a, scratch.zeros, s, t, count, rows);
      sum_rows({rows, scratch.weight, a.bias, dy ? dy + n * a.channels : nullptr, out + n * a.channels, a.channels, count, a.channels, a.width, a.silu});
    }
  });
}

void forward(const CausalConv1dForward<float>& a, Exec& exec) noexcept {
  const ArenaScope scope(exec.scratch);
  const Scratch scratch(a, exec);
  sum_inputs(a, scratch, nullptr, a.y, exec);
  for (int64_t s = 0; s < a.rows.sequences(); ++s)
    for (int64_t i = 0; i < a.width - 1; ++i) {  // ascending: state_out may be state_in
      const float* row = input_row(a, scratch.zeros, s, a.rows.length(s) - (a.width - 1) + i);
      std::copy_n(row, a.channels, a.state_out[s] + i * a.channels);
    }
}

// dxs[t .. t + count - 1] of sequence s, t >= -(W-1), from g [N, C]; rows `stride` apart. From the last row to the first: so the rows of g
// meet the taps in their order. `dstate` is added to every row.
void input_gradient(const CausalConv1dBackward<float>& b, const Scratch& scratch, const float* g, int64_t s, int64_t t, int64_t count,
                    const float* dstate, const float** rows, float* dxs, int64_t stride) {
  const auto& a = b.in;
  for (int64_t i = 0; i < count + a.width - 1; ++i) {
    const int64_t later = t + count - 1 + (a.width - 1) - i;
    rows[i] = later >= 0 && later < a.rows.length(s) ? g + (a.rows.begin(s) + later) * a.channels : scratch.zeros;
  }
  HWY_DYNAMIC_DISPATCH(SumRows)({rows, scratch.weight, dstate, nullptr, dxs + (count - 1) * stride, -stride, count, a.channels, a.width, false});
}

// The gradient that the new state brings to xs[t] of sequence s; null: none.
const float* from_new_state(const CausalConv1dBackward<float>& b, int64_t s, int64_t t) {
  const int64_t place = t - b.in.rows.length(s) + b.in.width - 1;
  return b.dstate_out && place >= 0 ? b.dstate_out[s] + place * b.in.channels : nullptr;
}

void input_gradients(const CausalConv1dBackward<float>& b, const Scratch& scratch, const float* g, Exec& exec) {
  const auto& a = b.in;
  exec.pool.run(blocks(a.rows.total(), rows_per_task), [&](int64_t task, int worker) {
    const int64_t end = std::min(a.rows.total(), (task + 1) * rows_per_task);
    for (int64_t n = task * rows_per_task, count = 0; n < end; n += count) {
      const int64_t s = sequence_of(a.rows, n), t = n - a.rows.begin(s), length = a.rows.length(s);
      const float* dstate = from_new_state(b, s, t);
      count = dstate ? 1 : std::min(end - n, (b.dstate_out ? length - (a.width - 1) : length) - t);
      input_gradient(b, scratch, g, s, t, count, dstate, scratch.of(worker), b.dx + n * b.dx_stride, b.dx_stride);
    }
  });
}

void weight_gradient(const CausalConv1dBackward<float>& b, const Scratch& scratch, const float* g, Exec& exec) {
  const auto& a = b.in;
  float* dweight = exec.scratch.allocate_array<float>(a.width * a.channels);  // [W, C]
  float* dbias = exec.scratch.allocate_array<float>(a.channels);
  const auto add_taps = HWY_DYNAMIC_DISPATCH(AddTaps);
  exec.pool.run(blocks(a.channels, channels_per_task), [&](int64_t task, int worker) {
    const float** rows = scratch.of(worker);
    const int64_t c0 = task * channels_per_task, count = std::min(channels_per_task, a.channels - c0);
    std::fill_n(dbias + c0, count, 0.0f);
    for (int64_t j = 0; j < a.width; ++j) std::fill_n(dweight + j * a.channels + c0, count, 0.0f);
    for (int64_t s = 0; s < a.rows.sequences(); ++s)
      for (int64_t t = 0; t < a.rows.length(s); t += rows_per_task) {
        const int64_t taken = std::min(rows_per_task, a.rows.length(s) - t);
        gather(a, scratch.zeros, s, t, taken, rows);
        add_taps({g + (a.rows.begin(s) + t) * a.channels, rows, dweight, dbias, taken, a.channels, a.width}, c0, count);
      }
    if (b.dbias) std::copy_n(dbias + c0, count, b.dbias + c0);
    for (int64_t c = c0; c < c0 + count && b.dweight; ++c)
      for (int64_t j = 0; j < a.width; ++j) b.dweight[c * a.width + j] = dweight[j * a.channels + c];
  });
}

void backward(const CausalConv1dBackward<float>& b, Exec& exec) noexcept {
  const auto& a = b.in;
  const ArenaScope scope(exec.scratch);
  const Scratch scratch(a, exec);
  const float* g = b.dy;
  if (a.silu) {
    float* grads = exec.scratch.allocate_array<float>(a.rows.total() * a.channels);
    sum_inputs(a, scratch, b.dy, grads, exec);
    g = grads;
  }
  if (b.dx) input_gradients(b, scratch, g, exec);
  for (int64_t s = 0; s < a.rows.sequences() && b.dstate_in; ++s)
    for (int64_t i = 0; i < a.width - 1; ++i) {
      float* dxs = b.dstate_in[s] + i * a.channels;
      const int64_t t = i - (a.width - 1);
      if (initial_state(a.state_in, a.rows, s)) input_gradient(b, scratch, g, s, t, 1, from_new_state(b, s, t), scratch.of(0), dxs, a.channels);
      else std::fill_n(dxs, a.channels, 0.0f);
    }
  if (b.dweight || b.dbias) weight_gradient(b, scratch, g, exec);
}
}  // namespace

const CausalConv1dKernels<float> causal_conv1d_cpu{"causal_conv1d_cpu", forward, backward};

}  // namespace statera
#endif
