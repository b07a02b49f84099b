// causal_conv1d in vectors over channels. An output row, and the gradient of an input row, are both a weighted sum of W
// rows, so one function computes both. The rows are found through pointers: they lie in x, in the state, or are zeros.
// A task of forward is a range of rows. A task of backward is one sequence and a range of channels, so that the
// gradients of the sums stay in cache.
#include <algorithm>

#include "core/fetch.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "kernels/states.hpp"

#ifndef STATERA_CAUSAL_CONV1D_CPU  // Highway compiles this file once per target
#define STATERA_CAUSAL_CONV1D_CPU
namespace statera {
// Output row i is the sum over the taps j of rows[i + j] weight[j], plus `add`.
struct RowSum {
  const float* const* rows;  // [count + W - 1], each [C]
  const float* weight;       // [W, C], rows weight_stride apart
  const float* add;          // [C] or null
  const float* dy;           // [count, C], rows dy_stride apart: y = dy * silu'(sum); null: y = silu(sum) or the sum
  float* y;                  // [count, C], rows y_stride apart
  int64_t weight_stride, dy_stride, y_stride, count, channels, width;
  bool silu;
};
// Adds to the gradient of tap j the sum over i of g[i] rows[i + j], and to that of the bias the sum of g[i].
struct TapSums {
  const float* g;            // [count, C], rows g_stride apart
  const float* const* rows;  // [count + W - 1], each [C]
  float* sums;               // [W + 1, C], rows sums_stride apart: of the taps and of the bias
  int64_t g_stride, sums_stride, count, channels, width;
};
}  // namespace statera
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/causal_conv1d/causal_conv1d_cpu.cpp"
#include "core/simd.hpp"
#include "hwy/cache_control.h"
#include "core/lanes-inl.hpp"
#include "core/math-inl.hpp"
#include "core/transpose-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

// Computes `count` output rows from row i on, side by side: they share the loads of the weights.
template <int count>
HWY_INLINE void SumSome(const RowSum& a, int64_t i) {
  const LanesTag d;
  // Fetch the next rows: the hardware does not foresee short pieces of rows that lie far apart (a third of the time).
  const bool more = i + 2 * count <= a.count;
  ForLanes(a.channels, [&](int64_t c, auto io) HWY_ATTR {
    LanesVec sum[count];
    if (more) {
#pragma GCC unroll 4
      for (int r = 0; r < count; ++r) {
        hwy::Prefetch(a.rows[i + count + r + a.width - 1] + c);
        if (a.dy) hwy::Prefetch(a.dy + (i + count + r) * a.dy_stride + c);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < count; ++r) sum[r] = a.add ? io.load(a.add + c) : hn::Zero(d);
    for (int64_t j = 0; j < a.width; ++j) {
      const LanesVec weight = io.load(a.weight + j * a.weight_stride + c);
#pragma GCC unroll 4
      for (int r = 0; r < count; ++r) sum[r] = hn::MulAdd(weight, io.load(a.rows[i + r + j] + c), sum[r]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < count; ++r) {
      if (a.dy)
        sum[r] = hn::Mul(io.load(a.dy + (i + r) * a.dy_stride + c), SiluGrad(d, sum[r]));
      else if (a.silu)
        sum[r] = Silu(d, sum[r]);
      io.store(sum[r], a.y + (i + r) * a.y_stride + c);
    }
  });
}

void SumRows(const RowSum& a) {
  int64_t i = 0;
  for (; i + 4 <= a.count; i += 4) SumSome<4>(a, i);
  for (; i < a.count; ++i) SumSome<1>(a, i);
}

// Adds g[i] rows[i + j] to the sums of the taps j .. j + taps - 1.
template <int taps>
HWY_INLINE void AddSome(const TapSums& a, int64_t j) {
  ForLanes(a.channels, [&](int64_t c, auto io) HWY_ATTR {
    LanesVec sum[taps];
#pragma GCC unroll 4
    for (int t = 0; t < taps; ++t) sum[t] = io.load(a.sums + (j + t) * a.sums_stride + c);
    for (int64_t i = 0; i < a.count; ++i) {
      const LanesVec g = io.load(a.g + i * a.g_stride + c);
#pragma GCC unroll 4
      for (int t = 0; t < taps; ++t) sum[t] = hn::MulAdd(g, io.load(a.rows[i + j + t] + c), sum[t]);
    }
#pragma GCC unroll 4
    for (int t = 0; t < taps; ++t) io.store(sum[t], a.sums + (j + t) * a.sums_stride + c);
  });
}

void AddTaps(const TapSums& a) {
  float* bias = a.sums + a.width * a.sums_stride;
  ForLanes(a.channels, [&](int64_t c, auto io) HWY_ATTR {
    LanesVec sum = io.load(bias + c);
    for (int64_t i = 0; i < a.count; ++i) sum = hn::Add(sum, io.load(a.g + i * a.g_stride + c));
    io.store(sum, bias + c);
  });
  int64_t j = 0;
  for (; j + 4 <= a.width; j += 4) AddSome<4>(a, j);
  for (; j < a.width; ++j) AddSome<1>(a, j);
}

// Transposes the weight, [C, W] to [W, C].
void WeightByTaps(const float* weight, int64_t channels, int64_t width, float* to) {
  Transpose(weight, width, channels, width, to, channels);
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(SumRows);
HWY_EXPORT(AddTaps);
HWY_EXPORT(WeightByTaps);
constexpr int64_t rows_per_task = 16;                         // of forward
constexpr int64_t rows_at_once = 64, channels_per_task = 64;  // of backward

int64_t blocks(int64_t n, int64_t size) { return (n + size - 1) / size; }

// What all tasks need: the weight as [W, C], a row of zeros, and for each worker pointers to the rows that the taps of
// the rows that it computes together read.
struct Scratch {
  float *weight, *zeros;
  int64_t most_rows;  // that are computed together, and the W - 1 rows before them
  const float** rows;

  Scratch(const CausalConv1dForward<float>& a, Exec& exec)
      : weight(exec.scratch.allocate_array<float>(a.width * a.channels)),
        zeros(exec.scratch.allocate_array<float>(a.channels)),
        most_rows(std::max(rows_at_once, a.width - 1) + a.width - 1),
        rows(exec.scratch.allocate_array<const float*>(exec.pool.size() * most_rows)) {
    HWY_DYNAMIC_DISPATCH(WeightByTaps)(a.weight, a.channels, a.width, weight);
    std::fill_n(zeros, a.channels, 0.0f);
  }
  const float** of(int worker) const { return rows + worker * most_rows; }
};

int64_t sequence_of(const Rows& rows, int64_t n) {
  return std::upper_bound(rows.offsets.begin(), rows.offsets.end(), n) - rows.offsets.begin() - 1;
}

// xs[t] of sequence s, t >= -(W-1) (causal_conv1d.md): a row of x, of the state, or of zeros.
const float* input_row(const CausalConv1dForward<float>& a, const float* zeros, int64_t s, int64_t t) {
  if (t >= 0) return a.x + (a.rows.begin(s) + t) * a.x_stride;
  const float* state = initial_state(a.state_in, a.rows, s);
  return state ? state + (a.width - 1 + t) * a.channels : zeros;
}

// Points rows[0 .. count + W - 2] to the rows that the taps of output rows t .. t + count - 1 of sequence s read, from
// channel c on.
void gather(const CausalConv1dForward<float>& a, const float* zeros, int64_t s, int64_t t, int64_t count, int64_t c,
            const float** rows) {
  for (int64_t i = 0; i < count + a.width - 1; ++i) rows[i] = input_row(a, zeros, s, t + i - (a.width - 1)) + c;
}

// Whether one task of forward has all rows of sequence s.
bool in_one_task(const Rows& rows, int64_t s) {
  const int64_t first = rows.begin(s), length = rows.length(s);
  return length > 0 && first / rows_per_task == (first + length - 1) / rows_per_task;
}

// The new state: the last W - 1 rows of xs.
void write_state(const CausalConv1dForward<float>& a, const float* zeros, int64_t s) {
  for (int64_t i = 0; i < a.width - 1; ++i) {  // ascending: state_out may be state_in
    const float* row = input_row(a, zeros, s, a.rows.length(s) - (a.width - 1) + i);
    std::copy_n(row, a.channels, a.state_out[s] + i * a.channels);
  }
}

void forward(const CausalConv1dForward<float>& a, Exec& exec) noexcept {
  const ArenaScope scope(exec.scratch);
  const Scratch scratch(a, exec);
  const auto sum_rows = HWY_DYNAMIC_DISPATCH(SumRows);
  exec.pool.run(blocks(a.rows.total(), rows_per_task), [&](int64_t task, int worker) {
    const float** rows = scratch.of(worker);
    const int64_t end = std::min(a.rows.total(), (task + 1) * rows_per_task);
    for (int64_t n = task * rows_per_task, count = 0; n < end; n += count) {
      const int64_t s = sequence_of(a.rows, n), t = n - a.rows.begin(s);
      count = std::min(end - n, a.rows.length(s) - t);
      if (n + count < end) fetch(initial_state(a.state_in, a.rows, s + 1), (a.width - 1) * a.channels);
      gather(a, scratch.zeros, s, t, count, 0, rows);
      sum_rows({.rows = rows,
                .weight = scratch.weight,
                .add = a.bias,
                .dy = nullptr,
                .y = a.y + n * a.channels,
                .weight_stride = a.channels,
                .dy_stride = 0,
                .y_stride = a.channels,
                .count = count,
                .channels = a.channels,
                .width = a.width,
                .silu = a.silu});
      // No other task reads the old state, and it is in cache.
      if (in_one_task(a.rows, s)) write_state(a, scratch.zeros, s);
    }
  });
  // The other states are overwritten when all tasks have read them.
  for (int64_t s = 0; s < a.rows.sequences(); ++s)
    if (!in_one_task(a.rows, s)) write_state(a, scratch.zeros, s);
}

// A task of backward goes through its sequence from the first row to the last, some rows at a time. `g` holds the
// gradients of the sums p (causal_conv1d.md) of these rows and of the W - 1 rows before them. The gradient of a row of
// xs is written as soon as the gradients of all sums that read this row are known.
struct Descent {
  const CausalConv1dBackward<float>& b;
  const Scratch& scratch;
  int64_t s, c0, count;  // the sequence; the first channel and the number of channels
  float* g;              // [most_rows, channels_per_task]
  float* sums;           // [W + 1, C], from c0 on: gradients of the taps and of the bias; null: not needed
  const float** rows;

  void run() const {
    const auto& a = b.in;
    const int64_t length = a.rows.length(s), before = a.width - 1;
    std::fill_n(g, before * channels_per_task, 0.0f);
    for (int64_t t = 0; t < length; t += rows_at_once) {
      const int64_t taken = std::min(rows_at_once, length - t);
      gradient_of_sums(t, taken);
      input_gradients(t - before, taken);
      std::copy_n(g + taken * channels_per_task, before * channels_per_task, g);
    }
    std::fill_n(g + before * channels_per_task, before * channels_per_task, 0.0f);
    input_gradients(length - before, before);
  }

 private:
  // Computes g of rows t .. t + taken - 1, stores it after the W - 1 earlier rows, and adds to the gradients of taps
  // and bias.
  void gradient_of_sums(int64_t t, int64_t taken) const {
    const auto& a = b.in;
    const int64_t row = a.rows.begin(s) + t;
    const float* dy = b.dy + row * a.channels + c0;
    float* here = g + (a.width - 1) * channels_per_task;
    gather(a, scratch.zeros, s, t, taken, c0, rows);
    if (a.silu) {
      const float* bias = a.bias ? a.bias + c0 : nullptr;
      HWY_DYNAMIC_DISPATCH(SumRows)
      ({.rows = rows,
        .weight = scratch.weight + c0,
        .add = bias,
        .dy = dy,
        .y = here,
        .weight_stride = a.channels,
        .dy_stride = a.channels,
        .y_stride = channels_per_task,
        .count = taken,
        .channels = count,
        .width = a.width,
        .silu = true});
    } else {
      for (int64_t i = 0; i < taken; ++i) std::copy_n(dy + i * a.channels, count, here + i * channels_per_task);
    }
    if (sums) HWY_DYNAMIC_DISPATCH(AddTaps)
    ({.g = here,
      .rows = rows,
      .sums = sums,
      .g_stride = channels_per_task,
      .sums_stride = a.channels,
      .count = taken,
      .channels = count,
      .width = a.width});
  }

  // Writes dxs[t .. t + taken - 1], where row 0 of g is row t of the sequence.
  void input_gradients(int64_t t, int64_t taken) const {
    const auto& a = b.in;
    for (int64_t i = 0, n = 0; i < taken; i += n) {
      const float* dstate = from_new_state(t + i);
      float* to = target(t + i);
      // Rows up to `plain` are not in the new state and are computed together; the others one by one.
      const int64_t length = a.rows.length(s), plain = b.dstate_out ? length - (a.width - 1) : length;
      n = t + i < 0 || dstate ? 1 : std::min(taken - i, plain - t - i);
      if (to) input_gradient(i, n, dstate, to, t + i < 0 ? a.channels : b.dx_stride);
    }
  }

  // Writes n rows from the last to the first, so that the rows of g meet the taps in ascending order, as in forward.
  // `dstate` is added to every row.
  void input_gradient(int64_t i, int64_t n, const float* dstate, float* to, int64_t stride) const {
    const int64_t last = i + n - 1 + b.in.width - 1;
    for (int64_t j = 0; j < n + b.in.width - 1; ++j) rows[j] = g + (last - j) * channels_per_task;
    HWY_DYNAMIC_DISPATCH(SumRows)
    ({.rows = rows,
      .weight = scratch.weight + c0,
      .add = dstate,
      .dy = nullptr,
      .y = to + (n - 1) * stride,
      .weight_stride = b.in.channels,
      .dy_stride = 0,
      .y_stride = -stride,
      .count = n,
      .channels = count,
      .width = b.in.width,
      .silu = false});
  }

  // Where dxs[t] is stored: in dx, or for t < 0 in the gradient of the initial state. Null: nobody needs it.
  float* target(int64_t t) const {
    const auto& a = b.in;
    if (t >= 0) return b.dx ? b.dx + (a.rows.begin(s) + t) * b.dx_stride + c0 : nullptr;
    if (!b.dstate_in) return nullptr;
    float* dxs = b.dstate_in[s] + (t + a.width - 1) * a.channels + c0;
    if (initial_state(a.state_in, a.rows, s)) return dxs;
    std::fill_n(dxs, count, 0.0f);
    return nullptr;
  }

  // What the gradient of the new state adds to dxs[t]; null: nothing.
  const float* from_new_state(int64_t t) const {
    const int64_t place = t - b.in.rows.length(s) + b.in.width - 1;
    return b.dstate_out && place >= 0 ? b.dstate_out[s] + place * b.in.channels + c0 : nullptr;
  }
};

// dweight and dbias of the channels c0 .. c0 + count - 1: the sums of all sequences, added in the order of the
// sequences.
void add_sequences(const CausalConv1dBackward<float>& b, const float* sums, int64_t c0, int64_t count) {
  const auto& a = b.in;
  const auto total = [&](int64_t row, int64_t c) {
    float sum = 0;
    for (int64_t s = 0; s < a.rows.sequences(); ++s) sum += sums[(s * (a.width + 1) + row) * a.channels + c];
    return sum;
  };
  for (int64_t c = c0; c < c0 + count; ++c) {
    for (int64_t j = 0; j < a.width && b.dweight; ++j) b.dweight[c * a.width + j] = total(j, c);
    if (b.dbias) b.dbias[c] = total(a.width, c);
  }
}

void backward(const CausalConv1dBackward<float>& b, Exec& exec) noexcept {
  const auto& a = b.in;
  const ArenaScope scope(exec.scratch);
  const Scratch scratch(a, exec);
  const int64_t sequences = a.rows.sequences(), per_sequence = (a.width + 1) * a.channels,
                block = scratch.most_rows * channels_per_task, groups = blocks(a.channels, channels_per_task);
  const bool weights = b.dweight || b.dbias;
  float* g = exec.scratch.allocate_array<float>(exec.pool.size() * block);
  float* sums = weights ? exec.scratch.allocate_array<float>(sequences * per_sequence) : nullptr;  // [S, W + 1, C]
  if (weights) std::fill_n(sums, sequences * per_sequence, 0.0f);
  const auto channels_of = [&](int64_t group) {
    return std::min(channels_per_task, a.channels - group * channels_per_task);
  };
  exec.pool.run(sequences * groups, [&](int64_t task, int worker) {
    const int64_t s = task / groups, group = task % groups, c0 = group * channels_per_task;
    Descent{.b = b,
            .scratch = scratch,
            .s = s,
            .c0 = c0,
            .count = channels_of(group),
            .g = g + worker * block,
            .sums = weights ? sums + s * per_sequence + c0 : nullptr,
            .rows = scratch.of(worker)}
        .run();
  });
  const auto add = [&](int64_t group, int) { add_sequences(b, sums, group * channels_per_task, channels_of(group)); };
  if (weights) exec.pool.run(groups, add, sequences * per_sequence);
}
}  // namespace

const CausalConv1dKernels<float> causal_conv1d_cpu{.forward = forward, .backward = backward};

}  // namespace statera
#endif
