#include "core/roof.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/roof_cpu.cpp"
#include "core/simd.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

double FmaChains(int64_t iterations) {
  const hn::ScalableTag<float> d;
  constexpr int chains = 12;
  hn::Vec<decltype(d)> acc[chains];
  for (int i = 0; i < chains; ++i) acc[i] = hn::Set(d, static_cast<float>(i));
  const auto x = hn::Set(d, 0.999f), y = hn::Set(d, 0.001f);
  for (int64_t n = 0; n < iterations; ++n)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) acc[i] = hn::MulAdd(acc[i], x, y);
  for (int i = 1; i < chains; ++i) acc[0] = hn::Add(acc[0], acc[i]);
  volatile float used = hn::GetLane(acc[0]);
  static_cast<void>(used);
  return 2.0 * chains * static_cast<double>(hn::Lanes(d)) * static_cast<double>(iterations);
}

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera {
HWY_EXPORT(FmaChains);
double run_fma_chains(int64_t iterations) { return HWY_DYNAMIC_DISPATCH(FmaChains)(iterations); }
}  // namespace statera
#endif
