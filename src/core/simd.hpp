// Highway, with the targets that this project compiles: AVX-512 (AVX3), AVX2 and the portable baseline on x86, NEON on
// ARM. SVE is left out: its vectors have a size known only at run time, so they cannot stand in arrays, which the
// register tiles need. Include this file as Highway's foreach_target pattern demands:
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "ops/NAME/NAME_cpu.cpp"
//   #include "core/simd.hpp"          // foreach_target and highway
//   #include "core/math-inl.hpp"      // exp and the like, once per target
//   HWY_BEFORE_NAMESPACE();
//   namespace statera::HWY_NAMESPACE { ... }
//   HWY_AFTER_NAMESPACE();
//   #if HWY_ONCE  ... HWY_EXPORT(F); HWY_DYNAMIC_DISPATCH(F)(...) ...
//   #endif
//
// It has no include guard, because it is read once per target.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#endif
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
