// Vectors of pairs of bf16 from vectors of floats (bf16.hpp), compiled once per target. There are two ways, which give
// the same bits (bf16_test.cpp).
#if defined(STATERA_MATMUL_BF16_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef STATERA_MATMUL_BF16_INL
#undef STATERA_MATMUL_BF16_INL
#else
#define STATERA_MATMUL_BF16_INL
#endif

#include <cstdint>

#include "core/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {

// Integer arithmetic, for any CPU.
struct InSteps {
  // round_to_bf16 in the upper half of each vector lane; the lower half is not cleared.
  static HWY_INLINE hn::Vec<hn::RebindToUnsigned<LanesTag>> rounded(LanesVec v) {
    const LanesTag d;
    const hn::RebindToUnsigned<LanesTag> du;
    const auto bits = hn::BitCast(du, v), odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    const auto nearest =
        hn::IfThenElse(hn::Eq(hn::And(bits, hn::Set(du, 0x7f800000u)), hn::Zero(du)),
                       hn::And(bits, hn::Set(du, 0x80000000u)), hn::Add(hn::Add(bits, hn::Set(du, 0x7fff)), odd));
    return hn::BitCast(du, hn::IfThenElse(hn::IsNaN(v), hn::BitCast(d, hn::Or(bits, hn::Set(du, 0x00400000))),
                                          hn::BitCast(d, nearest)));
  }
  static HWY_INLINE LanesVec pair(LanesVec first, LanesVec second) {
    const hn::RebindToUnsigned<LanesTag> du;
    return hn::BitCast(LanesTag(),
                       hn::Or(hn::ShiftRight<16>(rounded(first)), hn::And(rounded(second), hn::Set(du, 0xffff0000u))));
  }
  // The pairs (from[2 i], from[2 i + 1]) of the two vectors from `from` on.
  static HWY_INLINE LanesVec neighbours(const float* from) {
    LanesVec first, second;
    hn::LoadInterleaved2(LanesTag(), from, first, second);
    return pair(first, second);
  }
};
#if HWY_TARGET == HWY_AVX3
// One instruction, which Highway 1.0 does not have. Only for a CPU with AVX512-BF16 (core/isa.hpp).
struct ByTheCpu {
  // The numbers of `lower`, then those of `upper`, as bf16.
  static HWY_INLINE __m512i halves(LanesVec lower, LanesVec upper) {
    __m512i both;
    asm("vcvtne2ps2bf16 %2, %1, %0" : "=v"(both) : "v"(upper.raw), "v"(lower.raw));
    return both;
  }
  static HWY_INLINE LanesVec pair(LanesVec first, LanesVec second) {
    alignas(64) static constexpr uint16_t turns[] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                     8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return LanesVec{_mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_load_si512(turns), halves(first, second)))};
  }
  static HWY_INLINE LanesVec neighbours(const float* from) {
    const LanesTag d;
    return LanesVec{_mm512_castsi512_ps(halves(hn::LoadU(d, from), hn::LoadU(d, from + hn::Lanes(d))))};
  }
};
#else
using ByTheCpu = InSteps;
#endif

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
