// The reference for rope.md: plain loops, float or double; angles in double.
#include <cmath>

#include "core/plain_math.hpp"
#include "ops/rope/rope.hpp"

namespace statera {

namespace {
template <class T>
void rotate(const RopeRotate<T>& r, Exec&) noexcept {
  const RopeOptions& o = r.options;
  const int64_t pairs = o.rotary_dim / 2;
  for (int64_t n = 0; n < r.rows; ++n) {
    const T* x = r.x + n * r.x_stride;
    T* y = r.y + n * r.y_stride;
    if (y != x) std::copy(x, x + o.heads * o.headdim, y);
    for (int64_t f = 0; f < pairs; ++f) {
      const double frequency = plain::pow(o.theta, -2.0 * static_cast<double>(f) / static_cast<double>(o.rotary_dim));
      const double angle = static_cast<double>(r.positions[n]) * frequency;
      const T cosine = static_cast<T>(plain::cos(angle)),
              sine = static_cast<T>(r.inverse ? -plain::sin(angle) : plain::sin(angle));
      for (int64_t h = 0; h < o.heads; ++h) {
        const int64_t a = h * o.headdim + (o.interleaved ? 2 * f : f), b = o.interleaved ? a + 1 : a + pairs;
        const T xa = x[a], xb = x[b];
        y[a] = xa * cosine - xb * sine;
        y[b] = xa * sine + xb * cosine;
      }
    }
  }
}
}  // namespace

void write_positions(const Rows& rows, const View& positions) noexcept {
  auto* to = positions.as<int64_t>();
  for (int64_t s = 0; s < rows.sequences(); ++s)
    for (int64_t i = 0; i < rows.length(s); ++i) to[rows.begin(s) + i] = rows.start[static_cast<size_t>(s)] + i;
}

const RopeKernels<double> rope_ref_f64{.rotate = rotate<double>};
const RopeKernels<float> rope_ref_f32{.rotate = rotate<float>};

}  // namespace statera
