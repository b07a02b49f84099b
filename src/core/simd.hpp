// Highway, with the targets that this project compiles: AVX-512 (AVX3), AVX2 and the portable baseline on x86; NEON on
// ARM. Vectors of a size that only the machine knows (SVE) cannot stand in arrays, as register tiles keep them, so ARM
// stays with NEON. Include it as Highway's foreach_target pattern demands:
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "ops/NAME/NAME_cpu.cpp"
//   #include "core/simd.hpp"          // foreach_target and highway
//   #include "core/math-inl.hpp"      // exp and friends, once a target
//   HWY_BEFORE_NAMESPACE();
//   namespace statera::HWY_NAMESPACE { ... }
//   HWY_AFTER_NAMESPACE();
//   #if HWY_ONCE  ... HWY_EXPORT(F); HWY_DYNAMIC_DISPATCH(F)(...) ...
//   #endif
//
// (no include guard: the file is read once a target)
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#endif
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
