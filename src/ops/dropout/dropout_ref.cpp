// The reference for dropout.md: plain loops, float or double.
#include "statera/random.hpp"
#include "ops/dropout/dropout.hpp"

namespace statera {

void dropout_draw_ref(const DropoutDraw& d, int64_t first, int64_t end) noexcept {
  constexpr int64_t per_draw = 8;
  for (int64_t i = first; i < end; ++i) {
    auto counter = d.counter;
    counter[0] = static_cast<uint32_t>(i);
    const auto words = philox(counter, d.key);
    for (size_t j = 0; j < per_draw; ++j)
      d.keep[i * per_draw + static_cast<int64_t>(j)] = (words[j / 2] >> (16 * (j % 2)) & 0xffff) >= d.dropped;
  }
}

namespace {
template <class T>
void apply(const T* x, const uint8_t* keep, T* y, int64_t count, T scale) noexcept {
  for (int64_t c = 0; c < count; ++c) y[c] = keep[c] ? x[c] * scale : T{0};
}
}  // namespace

const DropoutKernels<double> dropout_ref_f64{.draw = dropout_draw_ref, .apply = apply<double>};
const DropoutKernels<float> dropout_ref_f32{.draw = dropout_draw_ref, .apply = apply<float>};

}  // namespace statera
