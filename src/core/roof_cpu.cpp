#include "core/roof.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/roof_cpu.cpp"
#include "core/simd.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace {
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

// Reads four streams at once, two vectors each. One stream does not keep enough cache lines in flight.
float SumOf(const float* HWY_RESTRICT x, int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr int streams = 4;
  const int64_t part = count / streams / (2 * lanes) * (2 * lanes);
  hn::Vec<decltype(d)> acc[2 * streams];
  for (auto& sum : acc) sum = hn::Zero(d);
  for (int64_t i = 0; i < part; i += 2 * lanes)
#pragma GCC unroll 8
    for (int s = 0; s < 2 * streams; ++s)
      acc[s] = hn::Add(acc[s], hn::LoadU(d, x + (s / 2) * part + i + (s % 2) * lanes));
  for (int s = 1; s < 2 * streams; ++s) acc[0] = hn::Add(acc[0], acc[s]);
  float sum = hn::GetLane(hn::SumOfLanes(d, acc[0]));
  for (int64_t i = streams * part; i < count; ++i) sum += x[i];
  return sum;
}

}  // namespace
}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#if defined(__x86_64__)
#include <immintrin.h>  // Highway 1.0 has no target with this instruction
#endif
#include "statera/device.hpp"

namespace statera {
#if defined(__x86_64__)
namespace {
__attribute__((target("avx512f,avx512vl,avx512bw,avx512bf16"))) double dot_chains(int64_t iterations) {
  constexpr int chains = 12;
  __m512 acc[chains];
  for (int i = 0; i < chains; ++i) acc[i] = _mm512_set1_ps(static_cast<float>(i));
  // small, so that the sums stay finite
  const __m512bh x = (__m512bh)_mm512_set1_epi16(0x3c00), y = (__m512bh)_mm512_set1_epi16(0x3c00);
  for (int64_t n = 0; n < iterations; ++n)
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) acc[i] = _mm512_dpbf16_ps(acc[i], x, y);
  for (int i = 1; i < chains; ++i) acc[0] = _mm512_add_ps(acc[0], acc[i]);
  volatile float used = _mm512_cvtss_f32(acc[0]);
  static_cast<void>(used);
  return 2.0 * 32 * chains * static_cast<double>(iterations);
}
}  // namespace
double run_bf16_dot_chains(int64_t iterations) {
  return instruction_set() == "AVX3" && __builtin_cpu_supports("avx512bf16") ? dot_chains(iterations) : 0;
}
#else
double run_bf16_dot_chains(int64_t) { return 0; }
#endif

HWY_EXPORT(FmaChains);
HWY_EXPORT(SumOf);
double run_fma_chains(int64_t iterations) { return HWY_DYNAMIC_DISPATCH(FmaChains)(iterations); }
float sum_of(const float* x, int64_t count) { return HWY_DYNAMIC_DISPATCH(SumOf)(x, count); }
}  // namespace statera
#endif
