// Cuts that are not learned: at every n-th position, or after given bytes (hnet.md).
#pragma once
#include <array>
#include <cstdint>

#include "kernels/kernels.hpp"

namespace statera {

// The ids that end a word: cut[id] for ids below 256, false for all others.
using CutIds = std::array<bool, 256>;

template <class T>
struct FixedCuts {
  T* p;                    // [N] gets 1 at a cut and 0 elsewhere
  const int32_t* offsets;  // [S + 1] as in Rows
  const int64_t* start;    // [S]
  int64_t sequences;
  int64_t every;            // positions per cut; 0: by the ids
  const int32_t* ids;       // [N]
  const CutIds* cut;        // null where `every` is above 0, as are initial and last
  const T* const* initial;  // [S] whether the row before the first one ended a word; read where start is above 0; null:
                            // no
  T* const* last;           // [S] the same of the last row; may be `initial`; null: not wanted
};

template <class T>
struct CutsKernels {
  Kernel<void(const FixedCuts<T>&, Exec&) noexcept> fixed;
};
extern const CutsKernels<double> cuts_ref_f64;
extern const CutsKernels<float> cuts_ref_f32;  // one comparison per row: the fast path too
inline constexpr Kernels<CutsKernels> cuts_kernels{
    .op = "cuts", .f64 = &cuts_ref_f64, .f32 = &cuts_ref_f32, .f32_cpu = &cuts_ref_f32};

}  // namespace statera
