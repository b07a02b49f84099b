// swiglu in vectors: a task is a block of rows.
#include "ops/swiglu/swiglu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/swiglu/swiglu_cpu.cpp"
#include "core/simd.hpp"
#include "core/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {

void ForwardRow(const float* HWY_RESTRICT gate, const float* HWY_RESTRICT up, float* HWY_RESTRICT y, int64_t d_ff) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + lanes <= d_ff; j += lanes) hn::StoreU(hn::Mul(Silu(d, hn::LoadU(d, gate + j)), hn::LoadU(d, up + j)), d, y + j);
  if (j < d_ff) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(d_ff - j));
    hn::BlendedStore(hn::Mul(Silu(d, hn::MaskedLoad(mask, d, gate + j)), hn::MaskedLoad(mask, d, up + j)), mask, d, y + j);
  }
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE void BackwardLanes(D d, V gate, V up, V dy, V& dgate, V& dup) {
  dup = hn::Mul(dy, Silu(d, gate));
  dgate = hn::Mul(hn::Mul(dy, up), SiluGrad(d, gate));
}

void BackwardRow(const float* HWY_RESTRICT gate, const float* HWY_RESTRICT up, const float* HWY_RESTRICT dy, float* HWY_RESTRICT dgate,
                 float* HWY_RESTRICT dup, int64_t d_ff) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<decltype(d)> dg, du;
  int64_t j = 0;
  for (; j + lanes <= d_ff; j += lanes) {
    BackwardLanes(d, hn::LoadU(d, gate + j), hn::LoadU(d, up + j), hn::LoadU(d, dy + j), dg, du);
    hn::StoreU(dg, d, dgate + j);
    hn::StoreU(du, d, dup + j);
  }
  if (j < d_ff) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(d_ff - j));
    BackwardLanes(d, hn::MaskedLoad(mask, d, gate + j), hn::MaskedLoad(mask, d, up + j), hn::MaskedLoad(mask, d, dy + j), dg, du);
    hn::BlendedStore(dg, mask, d, dgate + j);
    hn::BlendedStore(du, mask, d, dup + j);
  }
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {

namespace {
HWY_EXPORT(ForwardRow);
HWY_EXPORT(BackwardRow);
constexpr int64_t rows_per_task = 16;

void forward(const SwigluForward<float>& a, Exec& exec) noexcept {
  const auto row = HWY_DYNAMIC_DISPATCH(ForwardRow);
  exec.pool.run((a.rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t n = task * rows_per_task; n < std::min(a.rows, (task + 1) * rows_per_task); ++n)
      row(a.gate + n * a.stride, a.up + n * a.stride, a.y + n * a.d_ff, a.d_ff);
  });
}

void backward(const SwigluBackward<float>& a, Exec& exec) noexcept {
  const auto row = HWY_DYNAMIC_DISPATCH(BackwardRow);
  exec.pool.run((a.rows + rows_per_task - 1) / rows_per_task, [&](int64_t task, int) {
    for (int64_t n = task * rows_per_task; n < std::min(a.rows, (task + 1) * rows_per_task); ++n)
      row(a.gate + n * a.stride, a.up + n * a.stride, a.dy + n * a.d_ff, a.dgate + n * a.dstride, a.dup + n * a.dstride, a.d_ff);
  });
}
}  // namespace

const SwigluKernels<float> swiglu_cpu{"swiglu_cpu", forward, backward};

}  // namespace statera
#endif
