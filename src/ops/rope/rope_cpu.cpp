// rope in vectors: a task is a range of rows. The rotation of position 64 a + b is composed of those of 64 a (far) and
// b (near), in double.
#include "ops/rope/rope.hpp"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rope/rope_cpu.cpp"
#include "core/simd.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// cosine and sine [padded], in float, of the sum of a far and a near angle; with `inverse`, of the negative sum. far
// and near hold the cosines, then the sines, padded to whole vectors.
void AddAngles(const double* HWY_RESTRICT far, const double* HWY_RESTRICT near, int64_t padded, bool inverse,
               float* HWY_RESTRICT cosine, float* HWY_RESTRICT sine) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const auto sign = hn::Set(d, inverse ? -1.0 : 1.0);
  for (int64_t f = 0; f < padded; f += static_cast<int64_t>(hn::Lanes(d))) {
    const auto c1 = hn::LoadU(d, far + f), s1 = hn::LoadU(d, far + padded + f), c2 = hn::LoadU(d, near + f),
               s2 = hn::LoadU(d, near + padded + f);
    hn::StoreU(hn::DemoteTo(df, hn::NegMulAdd(s1, s2, hn::Mul(c1, c2))), df, cosine + f);
    hn::StoreU(hn::DemoteTo(df, hn::Mul(sign, hn::MulAdd(s1, c2, hn::Mul(c1, s2)))), df, sine + f);
  }
}

// Rotates the pairs (a, b).
template <class D, class V = hn::Vec<D>>
HWY_INLINE void Turn(D d, V a, V b, const float* cosine, const float* sine, V& ya, V& yb) {
  const V c = hn::LoadU(d, cosine), s = hn::LoadU(d, sine);
  ya = hn::NegMulAdd(b, s, hn::Mul(a, c));
  yb = hn::MulAdd(a, s, hn::Mul(b, c));
}

// Rotates the `pairs` pairs of one head; y may be x.
void TurnHead(const float* x, float* y, const float* HWY_RESTRICT cosine, const float* HWY_RESTRICT sine, int64_t pairs,
              bool interleaved) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<decltype(d)> a, b, ya, yb;
  int64_t f = 0;
  for (; f + lanes <= pairs; f += lanes) {
    if (interleaved) {
      hn::LoadInterleaved2(d, x + 2 * f, a, b);
      Turn(d, a, b, cosine + f, sine + f, ya, yb);
      hn::StoreInterleaved2(ya, yb, d, y + 2 * f);
    } else {
      Turn(d, hn::LoadU(d, x + f), hn::LoadU(d, x + pairs + f), cosine + f, sine + f, ya, yb);
      hn::StoreU(ya, d, y + f);
      hn::StoreU(yb, d, y + pairs + f);
    }
  }
  for (; f < pairs; ++f) {
    const int64_t i = interleaved ? 2 * f : f, j = interleaved ? i + 1 : f + pairs;
    const float xa = x[i], xb = x[j];
    y[i] = std::fma(-xb, sine[f], xa * cosine[f]);
    y[j] = std::fma(xa, sine[f], xb * cosine[f]);
  }
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(AddAngles);
HWY_EXPORT(TurnHead);
constexpr int64_t rows_per_task = 32, near_positions = 64, lanes_of_double = 8;

// Cosines, then sines, of position * frequency: [2, padded].
void angles(const double* frequency, int64_t pairs, int64_t padded, int64_t position, double* out) {
  for (int64_t f = 0; f < padded; ++f) {
    const double angle = f < pairs ? static_cast<double>(position) * frequency[f] : 0;
    out[f] = std::cos(angle);
    out[padded + f] = std::sin(angle);
  }
}

void rotate(const RopeRotate<float>& r, Exec& exec) noexcept {
  const RopeOptions& o = r.options;
  const int64_t pairs = o.rotary_dim / 2, padded = (pairs + lanes_of_double - 1) / lanes_of_double * lanes_of_double;
  const auto add = HWY_DYNAMIC_DISPATCH(AddAngles);
  const auto turn = HWY_DYNAMIC_DISPATCH(TurnHead);

  const ArenaScope scope(exec.scratch);
  auto* frequency = exec.scratch.allocate_array<double>(pairs);
  for (int64_t f = 0; f < pairs; ++f)
    frequency[f] = std::pow(o.theta, -2.0 * static_cast<double>(f) / static_cast<double>(o.rotary_dim));
  // With few rows, a table would need more sines than the rows themselves. Then each row computes its own: the same
  // numbers.
  const bool table = r.rows >= near_positions;
  auto* near_table = exec.scratch.allocate_array<double>(table ? near_positions * 2 * padded : 0);
  if (table)
    exec.pool.run(near_positions,
                  [&](int64_t b, int) { angles(frequency, pairs, padded, b, near_table + b * 2 * padded); });
  struct Worker {
    double *far, *near;
    float *cosine, *sine;
  };
  auto* workers = exec.scratch.allocate_array<Worker>(exec.pool.size());
  for (int w = 0; w < exec.pool.size(); ++w)
    workers[w] = {exec.scratch.allocate_array<double>(2 * padded), exec.scratch.allocate_array<double>(2 * padded),
                  exec.scratch.allocate_array<float>(padded), exec.scratch.allocate_array<float>(padded)};

  exec.pool.run((r.rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int worker) {
    const Worker& w = workers[worker];
    int64_t far_position = -1;
    for (int64_t n = task * rows_per_task; n < std::min(r.rows, (task + 1) * rows_per_task); ++n) {
      const int64_t b = r.positions[n] % near_positions, a = r.positions[n] - b;
      if (a != far_position) angles(frequency, pairs, padded, far_position = a, w.far);
      if (!table) angles(frequency, pairs, padded, b, w.near);
      add(w.far, table ? near_table + b * 2 * padded : w.near, padded, r.inverse, w.cosine, w.sine);
      const float* x = r.x + n * r.x_stride;
      float* y = r.y + n * r.y_stride;
      if (y != x) std::copy(x, x + o.heads * o.headdim, y);
      for (int64_t h = 0; h < o.heads; ++h)
        turn(y + h * o.headdim, y + h * o.headdim, w.cosine, w.sine, pairs, o.interleaved);
    }
  });
}
}  // namespace

const RopeKernels<float> rope_cpu{.rotate = rotate};

}  // namespace statera
#endif
