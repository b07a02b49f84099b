// Which rows of a table the last n ids of each position select, for all n (ngram.md, eqs. 1 and 2).
#pragma once
#include <cstdint>

#include "kernels/kernels.hpp"

namespace statera {

template <class T>
struct NgramRows {
  const int32_t* ids;      // [N]
  const int32_t* offsets;  // [S + 1] as in Rows
  const int64_t* start;    // [S]
  int64_t sequences;
  const T* const* initial;  // [S] the last `order` - 1 ids of each sequence before its first row, plus 1; 0: none. Read
                            // where start is above 0; null: none in all
  T* const* last;           // [S] the same after its last row; may be `initial`; null: not wanted
  int64_t order, heads, log2_rows;
  int32_t* rows;  // [N, (order - 1) heads]
};

template <class T>
struct NgramKernels {
  Kernel<void(const NgramRows<T>&, Exec&) noexcept> rows;
};
extern const NgramKernels<double> ngram_ref_f64;
extern const NgramKernels<float> ngram_ref_f32;  // whole numbers: the fast path too
inline constexpr Kernels<NgramKernels> ngram_kernels{
    .op = "ngram", .f64 = &ngram_ref_f64, .f32 = &ngram_ref_f32, .f32_cpu = &ngram_ref_f32};

constexpr int64_t most_ngram_order = 16;

}  // namespace statera
