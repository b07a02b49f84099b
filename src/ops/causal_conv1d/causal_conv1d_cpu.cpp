// causal_conv1d in vectors over channels. Output rows and the gradients of input rows are weighted sums of d_conv rows, from x, from
// the state, or a row of zeros: one function does both. A task is a block of rows; for the weights' gradient a block of channels.
#include <algorithm>

#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/states.hpp"

#ifndef STATERA_CAUSAL_CONV1D_CPU  // this file is read once a target
#define STATERA_CAUSAL_CONV1D_CPU
namespace statera {
struct RowSum {
  const float* const* rows;  // [W], each [C]
  const float* weight;       // [W, C]
  const float* add;          // [C] or null
  const float* dy;           // [C]: y = dy * silu'(sum); null: y = silu(sum) or the sum
  float* y;                  // [C]
  int64_t channels, width;
  bool silu;
};
struct TapSums {             // of a block of channels
  const float* g;            // [C]
  const float* const* rows;  // [W], each [C]
  float* dweight;            // [W, C]
  float* dbias;              // [C]
  int64_t channels, width;
};
}  // namespace statera
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/causal_conv1d/causal_conv1d_cpu.cpp"
#include "core/simd.hpp"
#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {

void SumRows(const RowSum& a) {
  const LanesTag d;
  ForLanes(a.channels, [&](int64_t c, auto io) HWY_ATTR {
    LanesVec sum = a.add ? io.load(a.add + c) : hn::Zero(d);
    for (int64_t j = 0; j < a.width; ++j) sum = hn::MulAdd(io.load(a.weight + j * a.channels + c), io.load(a.rows[j] + c), sum);
    if (a.dy) sum = hn::Mul(io.load(a.dy + c), SiluGrad(d, sum));
    else if (a.silu) sum = Silu(d, sum);
    io.store(sum, a.y + c);
  });
}

// Adds g * rows[j] to dweight[j], and g to dbias, for `count` channels from c0.
void AddTaps(const TapSums& a, int64_t c0, int64_t count) {
  ForLanes(count, [&](int64_t i, auto io) HWY_ATTR {
    const int64_t c = c0 + i;
    const LanesVec g = io.load(a.g + c);
    io.store(hn::Add(io.load(a.dbias + c), g), a.dbias + c);
    for (int64_t j = 0; j < a.width; ++j) {
      float* dw = a.dweight + j * a.channels + c;
      io.store(hn::MulAdd(g, io.load(a.rows[j] + c), io.load(dw)), dw);
    }
  });
}

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(SumRows);
HWY_EXPORT(AddTaps);
constexpr int64_t rows_per_task = 16, channels_per_task = 64;

int64_t blocks(int64_t n, int64_t size) { return (n + size - 1) / size; }

// What all rows need: the weights as [W, C], a row of zeros, and W row pointers for each worker.
struct Scratch {
  float *weight, *zeros;
  const float** rows;

  Scratch(const CausalConv1dForward<float>& a, Exec& exec)
      : weight(exec.scratch.allocate_array<float>(a.width * a.channels)),
        zeros(exec.scratch.allocate_array<float>(a.channels)),
        rows(exec.scratch.allocate_array<const float*>(exec.pool.size() * a.width)) {
    for (int64_t c = 0; c < a.channels; ++c)
      for (int64_t j = 0; j < a.width; ++j) weight[j * a.channels + c] = a.weight[c * a.width + j];
    std::fill_n(zeros, a.channels, 0.0f);
  }
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

// The rows that meet the taps at row n.
void gather(const CausalConv1dForward<float>& a, const float* zeros, int64_t s, int64_t n, const float** rows) {
  for (int64_t j = 0; j < a.width; ++j) rows[j] = input_row(a, zeros, s, n - a.rows.begin(s) + j - (a.width - 1));
}

// out[n] = silu(p[n]), or dy[n] silu'(p[n]) if dy is there.
void sum_inputs(const CausalConv1dForward<float>& a, const Scratch& scratch, const float* dy, float* out, Exec& exec) {
  const auto sum_rows = HWY_DYNAMIC_DISPATCH(SumRows);
  exec.pool.run(blocks(a.rows.total(), rows_per_task), [&](int64_t task, int worker) {
    const float** rows = scratch.rows + worker * a.width;
    const int64_t end = std::min(a.rows.total(), (task + 1) * rows_per_task);
    for (int64_t n = task * rows_per_task; n < end; ++n) {
      gather(a, scratch.zeros, sequence_of(a.rows, n), n, rows);
      sum_rows({rows, scratch.weight, a.bias, dy ? dy + n * a.channels : nullptr, out + n * a.channels, a.channels, a.width, a.silu});
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

// dxs[t] of sequence s, t >= -(W-1), from g [N, C].
void input_gradient(const CausalConv1dBackward<float>& b, const Scratch& scratch, const float* g, int64_t s, int64_t t, const float** rows,
                    float* dxs) {
  const auto& a = b.in;
  const int64_t length = a.rows.length(s), place = t - length + a.width - 1;  // of xs[t] in the new state
  for (int64_t j = 0; j < a.width; ++j) {
    const int64_t later = t + (a.width - 1) - j;
    rows[j] = later >= 0 && later < length ? g + (a.rows.begin(s) + later) * a.channels : scratch.zeros;
  }
  const float* dstate = b.dstate_out && place >= 0 ? b.dstate_out[s] + place * a.channels : nullptr;
  HWY_DYNAMIC_DISPATCH(SumRows)({rows, scratch.weight, dstate, nullptr, dxs, a.channels, a.width, false});
}

void weight_gradient(const CausalConv1dBackward<float>& b, const Scratch& scratch, const float* g, Exec& exec) {
  const auto& a = b.in;
  float* dweight = exec.scratch.allocate_array<float>(a.width * a.channels);  // [W, C]
  float* dbias = exec.scratch.allocate_array<float>(a.channels);
  const auto add_taps = HWY_DYNAMIC_DISPATCH(AddTaps);
  exec.pool.run(blocks(a.channels, channels_per_task), [&](int64_t task, int worker) {
    const float** rows = scratch.rows + worker * a.width;
    const int64_t c0 = task * channels_per_task, count = std::min(channels_per_task, a.channels - c0);
    std::fill_n(dbias + c0, count, 0.0f);
    for (int64_t j = 0; j < a.width; ++j) std::fill_n(dweight + j * a.channels + c0, count, 0.0f);
    for (int64_t s = 0; s < a.rows.sequences(); ++s)
      for (int64_t n = a.rows.begin(s); n < a.rows.begin(s) + a.rows.length(s); ++n) {
        gather(a, scratch.zeros, s, n, rows);
        add_taps({g + n * a.channels, rows, dweight, dbias, a.channels, a.width}, c0, count);
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
  if (b.dx)
    exec.pool.run(blocks(a.rows.total(), rows_per_task), [&](int64_t task, int worker) {
      for (int64_t n = task * rows_per_task; n < std::min(a.rows.total(), (task + 1) * rows_per_task); ++n) {
        const int64_t s = sequence_of(a.rows, n);
        input_gradient(b, scratch, g, s, n - a.rows.begin(s), scratch.rows + worker * a.width, b.dx + n * b.dx_stride);
      }
    });
  for (int64_t s = 0; s < a.rows.sequences() && b.dstate_in; ++s)
    for (int64_t i = 0; i < a.width - 1; ++i) {
      float* dxs = b.dstate_in[s] + i * a.channels;
      if (initial_state(a.state_in, a.rows, s)) input_gradient(b, scratch, g, s, i - (a.width - 1), scratch.rows, dxs);
      else std::fill_n(dxs, a.channels, 0.0f);
    }
  if (b.dweight || b.dbias) weight_gradient(b, scratch, g, exec);
}
}  // namespace

const CausalConv1dKernels<float> causal_conv1d_cpu{"causal_conv1d_cpu", forward, backward};

}  // namespace statera
#endif
