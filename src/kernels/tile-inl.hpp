// The register-blocked product that all products of floats and of bf16 are made of, compiled once per target:
//
//   C[i, j] (+)= sum over k of A[i, k] B[k, j]
//
// Each element of C is one chain of multiply-adds in ascending k, fused but for portable kernels. So its bits depend
// neither on m and n nor on where the caller cuts rows, columns or (with `accumulate`) k. Operations call it on parts
// of matrices that stay in L1 or L2.
//
// An element of A and B is a float, or in its place a pair of bf16: the elements 2 p and 2 p + 1 along k, the first one
// in the lower half (bf16.hpp). One link of the chain is then two products.
#if defined(STATERA_TILE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef STATERA_TILE_INL
#undef STATERA_TILE_INL
#else
#define STATERA_TILE_INL
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/cache_control.h"
#include "core/lanes-inl.hpp"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using TileTag = hn::ScalableTag<float>;
inline constexpr int64_t tile_lanes = static_cast<int64_t>(hn::MaxLanes(TileTag()));
// The register block has 8 x 3 accumulators in 32 registers (AVX-512, NEON), 6 x 2 in 16 (AVX2), and 2 x 2 where
// vectors are emulated.
inline constexpr int tile_rows = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 8 : HWY_TARGET == HWY_AVX2 ? 6 : 2;
inline constexpr int tile_vectors = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 3 : 2;
// A product of few rows waits for the memory of B, so it reads whole cache lines of B in their order (worth 5 to 12 %
// of a step over keys and values). How many rows are few depends on the number of registers.
inline constexpr int few_rows = tile_rows == 8 ? 4 : tile_rows == 6 ? 2 : 0, few_vectors = 4;

inline constexpr int64_t line = 16;  // floats in a cache line

using TileV = hn::Vec<TileTag>;
// The arithmetic of one link of the chain: sum + a b.
struct Floats {
  static HWY_INLINE TileV add(TileV sum, TileV a, TileV b) { return hn::MulAdd(a, b, sum); }
};
// The same in two operations, which every instruction set has: with the bits of the reference. Where this is used, the
// compiler must not contract them again (-ffp-contract=off).
struct Unfused {
  static HWY_INLINE TileV add(TileV sum, TileV a, TileV b) { return hn::Add(sum, hn::Mul(a, b)); }
};
// Pairs of bf16 in two fp32 multiply-adds. A bf16 is the upper half of the float of the same value.
struct SplitPairs {
  static HWY_INLINE TileV add(TileV sum, TileV a, TileV b) {
    const TileTag d;
    const hn::RebindToUnsigned<TileTag> du;
    const auto upper = hn::Set(du, 0xffff0000u);
    const auto first = [&](TileV v) HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<16>(hn::BitCast(du, v))); };
    const auto second = [&](TileV v) HWY_ATTR { return hn::BitCast(d, hn::And(hn::BitCast(du, v), upper)); };
    return hn::MulAdd(second(a), second(b), hn::MulAdd(first(a), first(b), sum));
  }
};
#if HWY_TARGET == HWY_AVX3
// Pairs of bf16 in one instruction, which Highway 1.0 does not have. Only for a CPU with AVX512-BF16 (core/isa.hpp).
struct DotPairs {
  static HWY_INLINE TileV add(TileV sum, TileV a, TileV b) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(b.raw), "v"(a.raw));
    return sum;
  }
};
#else
using DotPairs = SplitPairs;
#endif

struct TileArgs {
  const float* a;  // element (i, k) at a[i * rs_a + k * cs_a]
  int64_t rs_a, cs_a;
  const float* b;  // (k, j) at b[k * ldb + j]
  int64_t ldb;
  float* c;  // (i, j) at c[i * ldc + j]
  int64_t ldc;
  // Memory that is read next: one cache line of it is fetched for each k. Null: the next line of A.
  const float* ahead = nullptr;
  bool whole = false;  // fetch as many floats for each k as a row of B has here; only few rows leave time for that
};

// One register block: `rows` rows and `vectors` vectors of columns. With `masked` the last vector has `last` vector
// lanes.
template <class Arithmetic, int rows, int vectors, bool masked, bool accumulate>
HWY_NOINLINE void TileBlock(const TileArgs& args, int64_t k, int64_t last) {
  const TileArgs t = args;  // for the compiler: the stores below cannot change a local copy
  const TileTag d;
  using V = TileV;
  const auto mask = hn::FirstN(d, static_cast<size_t>(last));
  const auto load = [&](const float* p, int v)
                        HWY_ATTR { return masked && v == vectors - 1 ? LoadPart(d, mask, p) : hn::LoadU(d, p); };
  V acc[rows][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      float* c = t.c + i * t.ldc + v * tile_lanes;
      acc[i][v] = accumulate ? load(c, v) : hn::Zero(d);
      if constexpr (!accumulate) hwy::Prefetch(c);  // it is written at the end (worth 4 %)
    }

  const float* b = t.b;
  const float* a[rows];
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) a[i] = t.a + i * t.rs_a;
  // For dW, k runs down the rows of A, and the hardware does not foresee the next line of each row (worth 10 %).
  const float* ahead = t.ahead ? t.ahead : a[0] + line;
  const int64_t ahead_step = !t.ahead ? t.cs_a : t.whole ? (vectors - 1) * tile_lanes + last : line;
  for (int64_t kk = 0, at = 0; kk < k; ++kk, at += t.cs_a, b += t.ldb, ahead += ahead_step) {
    hwy::Prefetch(ahead);
    if constexpr (rows <= few_rows && vectors * tile_lanes > line) {
      if (t.whole)
#pragma GCC unroll 4
        for (int64_t i = line; i < vectors * tile_lanes; i += line) hwy::Prefetch(ahead + i);
    }
    V bv[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) bv[v] = load(b + v * tile_lanes, v);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const V av = hn::Set(d, a[i][at]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) acc[i][v] = Arithmetic::add(acc[i][v], av, bv[v]);
    }
  }

#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      float* c = t.c + i * t.ldc + v * tile_lanes;
      if (masked && v == vectors - 1)
        StorePart(acc[i][v], d, mask, c);
      else
        hn::StoreU(acc[i][v], d, c);
    }
}

// Calls the register block of exactly m rows, m <= rows.
template <class Arithmetic, int rows, int vectors, bool accumulate>
HWY_INLINE void TileRows(const TileArgs& t, int64_t m, int64_t k, int64_t last) {
  if constexpr (rows > 0) {
    if (m < rows)
      TileRows<Arithmetic, rows - 1, vectors, accumulate>(t, m, k, last);
    else if (last == tile_lanes)
      TileBlock<Arithmetic, rows, vectors, false, accumulate>(t, k, last);
    else
      TileBlock<Arithmetic, rows, vectors, true, accumulate>(t, k, last);
  }
}

// The same, with as many vectors as n columns need, at most `vectors`.
template <class Arithmetic, int rows, int vectors, bool accumulate>
HWY_INLINE void TileColumns(const TileArgs& t, int64_t n, int64_t m, int64_t k) {
  if constexpr (vectors > 0) {
    const int64_t last = n - (vectors - 1) * tile_lanes;
    if (last <= 0)
      TileColumns<Arithmetic, rows, vectors - 1, accumulate>(t, n, m, k);
    else
      TileRows<Arithmetic, rows, vectors, accumulate>(t, m, k, last);
  }
}

// The product, for any m, n, k and strides. Writes m x n elements of C and reads no column of B after the first n. A, B
// and C must not overlap. `ahead`: memory as large as B that will be read next and is not in cache. Its first n k
// floats are fetched meanwhile; with more than few_rows rows, only a part of them. Fetching beyond its end does no
// harm.
template <bool accumulate, class Arithmetic = Floats>
void Tile(const float* A, int64_t rs_a, int64_t cs_a, const float* B, int64_t ldb, float* C, int64_t ldc, int64_t m,
          int64_t n, int64_t k, const float* ahead = nullptr) {
  if (m <= few_rows) {
    constexpr int64_t most = few_vectors * tile_lanes;
    for (int64_t j = 0; j < n; j += most)
      TileColumns<Arithmetic, few_rows, few_vectors, accumulate>(
          {A, rs_a, cs_a, B + j, ldb, C + j, ldc, ahead ? ahead + j * k : nullptr, ahead != nullptr},
          std::min(most, n - j), m, k);
    return;
  }
  constexpr int64_t most = tile_vectors * tile_lanes;
  int64_t fetched = 0;  // pieces of `ahead` so far; a piece is one line for each k
  for (int64_t j = 0, columns = 0; j < n; j += columns) {
    const int64_t parts = (n - j + most - 1) / most, vectors = (n - j + parts * tile_lanes - 1) / (parts * tile_lanes);
    // Register blocks of nearly equal width: 64 columns are cut as 32 + 32, not 48 + 16, because one of a single vector
    // has too few multiply-adds per load. Rows likewise: 9 rows as 5 + 4, not 8 + 1.
    columns = std::min(n - j, vectors * tile_lanes);
    for (int64_t i = 0, rows = 0; i < m; i += rows) {
      const int64_t blocks = (m - i + tile_rows - 1) / tile_rows;
      rows = (m - i + blocks - 1) / blocks;
      const float* next = ahead && fetched * line < ldb ? ahead + fetched++ * k * line : nullptr;
      TileColumns<Arithmetic, tile_rows, tile_vectors, accumulate>(
          {A + i * rs_a, rs_a, cs_a, B + j, ldb, C + i * ldc + j, ldc, next}, columns, rows, k);
    }
  }
}

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
