// The register-blocked product of quantised.md, compiled once per target. A block is a scale block of 32 values here:
//
//   C[i, j] (+)= sum over b, ascending, of (x.scale[i, b] w.scale[b, j]) float(sum over k in b of x[i, k] w[k, j])
//
// The inner sum is exact, since it is a sum of integers, so its order does not matter. The outer sum is a chain of
// fused multiply-adds. So the bits of an element depend neither on the rows and columns around it nor on where the
// caller cuts the sequence of blocks.
//
// Weights are stored as w + zero >= 0, since the instructions need an unsigned factor. To make up for it, each inner
// sum starts at minus the sum of zero x[i, k].
#if defined(STATERA_INTEGER_TILE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef STATERA_INTEGER_TILE_INL
#undef STATERA_INTEGER_TILE_INL
#else
#define STATERA_INTEGER_TILE_INL
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "ops/matmul/quantised.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using SumTag = hn::ScalableTag<float>;
using DotTag = hn::RebindToSigned<SumTag>;
using FourTag = hn::RebindToUnsigned<SumTag>;  // a vector lane holds four weights of a column, one byte each
using SumV = hn::Vec<SumTag>;
using DotV = hn::Vec<DotTag>;
using FourV = hn::Vec<FourTag>;
inline constexpr int64_t dot_lanes = static_cast<int64_t>(hn::MaxLanes(SumTag()));
inline constexpr int dot_rows = HWY_TARGET == HWY_AVX2 ? 6 : HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 4 : 2;
inline constexpr int dot_vectors = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 3 : 1;

// One block of one row of activations, arranged for `Dot`. The values for the next four rows of weights are `step`
// elements further on.
template <class Dot>
struct RowBlock {
  typename Dot::Element values[Dot::count];
  float scale;
  int32_t start;  // -zero times the sum of the values
};

#if HWY_TARGET == HWY_AVX3
// Ways to multiply bytes. Each adds the products of four weights and four values of a row to a vector lane of integer
// sums.
//
// Four products of bytes in one instruction, which Highway 1.0 does not have. Only for a CPU with AVX512-VNNI
// (core/isa.hpp).
struct VnniDot {
  using Element = int32_t;  // four bytes
  static constexpr int count = 8, step = 1;
  struct Weights {
    FourV four;
  };
  static HWY_INLINE Weights weights(FourV four) { return {four}; }
  static HWY_INLINE DotV add(DotV sum, const Weights& w, const Element* x) {
    asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum.raw) : "v"(w.four.raw), "m"(*x));
    return sum;
  }
  static void arrange(const int8_t* values, Element* to) { hwy::CopyBytes<quantised_block>(values, to); }
};
#endif

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
// Products of 16 bits, two in one instruction. Even and odd bytes are separated, of the weights and of the row.
struct PairDot {
  using Element = int32_t;  // values 0 and 2 of each four; 1 and 3 are eight elements further on
  static constexpr int count = 16, step = 1;
  using PairTag = hn::Repartition<int16_t, DotTag>;
  struct Weights {
    hn::Vec<PairTag> even, odd;
  };
  static HWY_INLINE Weights weights(FourV four) {
    const hn::RebindToUnsigned<PairTag> du;
    const PairTag d;
    const auto both = hn::BitCast(du, four);
    return {hn::BitCast(d, hn::And(both, hn::Set(du, 0xff))), hn::BitCast(d, hn::ShiftRight<8>(both))};
  }
  static HWY_INLINE DotV add(DotV sum, const Weights& w, const Element* x) {
    const DotTag d;
    DotV unused = sum;
    sum = hn::ReorderWidenMulAccumulate(d, w.even, hn::BitCast(PairTag(), hn::Set(d, x[0])), sum, unused);
    return hn::ReorderWidenMulAccumulate(d, w.odd, hn::BitCast(PairTag(), hn::Set(d, x[8])), sum, unused);
  }
  static void arrange(const int8_t* values, Element* to) {
    const hn::CappedTag<int32_t, 8> d;
    const hn::Repartition<int16_t, decltype(d)> d16;
    const auto both = hn::BitCast(d16, hn::LoadU(d, reinterpret_cast<const int32_t*>(values)));
    hn::StoreU(hn::BitCast(d, hn::ShiftRight<8>(hn::ShiftLeft<8>(both))), d, to);
    hn::StoreU(hn::BitCast(d, hn::ShiftRight<8>(both)), d, to + 8);
  }
};
#endif

// Products in vector lanes of 32 bits, on any instruction set.
struct LaneDot {
  using Element = int8_t;
  static constexpr int count = 32, step = 4;
  struct Weights {
    DotV w[4];
  };
  static HWY_INLINE Weights weights(FourV four) {
    const DotTag d;
    const auto byte = hn::Set(FourTag(), 0xff);
    return {{hn::BitCast(d, hn::And(four, byte)), hn::BitCast(d, hn::And(hn::ShiftRight<8>(four), byte)),
             hn::BitCast(d, hn::And(hn::ShiftRight<16>(four), byte)), hn::BitCast(d, hn::ShiftRight<24>(four))}};
  }
  static HWY_INLINE DotV add(DotV sum, const Weights& w, const Element* x) {
    for (int n = 0; n < 4; ++n) sum = hn::Add(sum, hn::Mul(w.w[n], hn::Set(DotTag(), x[n])));
    return sum;
  }
  static void arrange(const int8_t* values, Element* to) { std::copy_n(values, quantised_block, to); }
};

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
using PlainDot = PairDot;
#else
using PlainDot = LaneDot;
#endif

template <class Dot>
struct IntegerTileArgs {
  const RowBlock<Dot>* x;  // block b of row i at x[i * ldx + b]
  int64_t ldx;
  const std::byte* w;  // block b of the first column at w + b * block_bytes; its values follow after `stride` scales
  int64_t stride, block_bytes, panel_bytes;  // panel_bytes: from a column to the same one of the next panel
  float* c;                                  // (i, j) at c[i * ldc + j]
  int64_t ldc;
  bool accumulate;
};

// One register block: `rows` rows and `vectors` whole vectors of columns, which go on in the next panel if one has too
// few.
template <class Dot, int bits, int rows, int vectors>
HWY_NOINLINE void IntegerTileBlock(const IntegerTileArgs<Dot>& args, int64_t blocks) {
  const IntegerTileArgs<Dot> t = args;  // for the compiler: the stores below cannot change a local copy
  const SumTag df;
  const DotTag di;
  const FourTag du;
  constexpr int in_panel = static_cast<int>(Panels::width / dot_lanes);
  const auto at = [&](int v) { return v / in_panel * t.panel_bytes + v % in_panel * 4 * dot_lanes; };
  SumV sum[rows][vectors];
#pragma GCC unroll 6
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 12
    for (int v = 0; v < vectors; ++v)
      sum[i][v] = t.accumulate ? hn::LoadU(df, t.c + i * t.ldc + v * dot_lanes) : hn::Zero(df);

  const std::byte* w = t.w;
  for (int64_t b = 0; b < blocks; ++b, w += t.block_bytes) {
    DotV dot[rows][vectors];
    const typename Dot::Element* x[rows];
#pragma GCC unroll 6
    for (int i = 0; i < rows; ++i) {
      x[i] = t.x[i * t.ldx + b].values;
#pragma GCC unroll 12
      for (int v = 0; v < vectors; ++v) dot[i][v] = hn::Set(di, t.x[i * t.ldx + b].start);
    }
    const std::byte* values = w + 4 * t.stride;
#pragma GCC unroll 2
    for (int q = 0; q < bits; ++q, values += 4 * t.stride) {
#pragma GCC unroll 12
      for (int v = 0; v < vectors; ++v) {
        const FourV four = hn::LoadU(du, reinterpret_cast<const uint32_t*>(values + at(v)));
        if constexpr (bits == 8) {
          const auto first = Dot::weights(four);
#pragma GCC unroll 6
          for (int i = 0; i < rows; ++i) dot[i][v] = Dot::add(dot[i][v], first, x[i] + q * Dot::step);
        } else {
          const auto low = hn::Set(du, 0x0f0f0f0f);
          const auto first = Dot::weights(hn::And(four, low)),
                     second = Dot::weights(hn::And(hn::ShiftRight<4>(four), low));
#pragma GCC unroll 6
          for (int i = 0; i < rows; ++i)
            dot[i][v] =
                Dot::add(Dot::add(dot[i][v], first, x[i] + 2 * q * Dot::step), second, x[i] + (2 * q + 1) * Dot::step);
        }
      }
    }
#pragma GCC unroll 12
    for (int v = 0; v < vectors; ++v) {
      const SumV scale = hn::LoadU(df, reinterpret_cast<const float*>(w + at(v)));
#pragma GCC unroll 6
      for (int i = 0; i < rows; ++i)
        sum[i][v] =
            hn::MulAdd(hn::ConvertTo(df, dot[i][v]), hn::Mul(scale, hn::Set(df, t.x[i * t.ldx + b].scale)), sum[i][v]);
    }
  }

#pragma GCC unroll 6
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 12
    for (int v = 0; v < vectors; ++v) hn::StoreU(sum[i][v], df, t.c + i * t.ldc + v * dot_lanes);
}

// Calls the register block of exactly m rows, m <= rows.
template <class Dot, int bits, int rows, int vectors>
HWY_INLINE void IntegerTileRows(const IntegerTileArgs<Dot>& t, int64_t m, int64_t blocks) {
  if constexpr (rows > 0) {
    if (m < rows)
      IntegerTileRows<Dot, bits, rows - 1, vectors>(t, m, blocks);
    else
      IntegerTileBlock<Dot, bits, rows, vectors>(t, blocks);
  }
}

// The same, with exactly `wanted` vectors, wanted <= vectors.
template <class Dot, int bits, int vectors>
HWY_INLINE void IntegerTileColumns(const IntegerTileArgs<Dot>& t, int64_t m, int64_t wanted, int64_t blocks) {
  if constexpr (vectors > 0) {
    if (wanted < vectors)
      IntegerTileColumns<Dot, bits, vectors - 1>(t, m, wanted, blocks);
    else
      IntegerTileRows<Dot, bits, dot_rows, vectors>(t, m, blocks);
  }
}

// The product, for any m >= 0 and n >= 0 columns of one panel. Writes m x n elements of C. Of the panel it also reads
// the padding, and nothing after it.
template <class Dot, int bits>
void IntegerTile(const IntegerTileArgs<Dot>& t, int64_t m, int64_t n, int64_t blocks) {
  constexpr int64_t width = dot_vectors * dot_lanes;
  for (int64_t j = 0; j < n; j += width) {
    const int64_t columns = std::min(n - j, width), vectors = (columns + dot_lanes - 1) / dot_lanes;
    for (int64_t i = 0, rows = 0; i < m; i += rows) {
      const int64_t parts = (m - i + dot_rows - 1) / dot_rows;
      rows = (m - i + parts - 1) / parts;
      IntegerTileArgs<Dot> part = t;
      part.x += i * t.ldx;
      part.w += 4 * j;
      part.c += i * t.ldc + j;
      if (columns == vectors * dot_lanes) {
        IntegerTileColumns<Dot, bits, dot_vectors>(part, rows, vectors, blocks);
        continue;
      }
      // The last columns are computed in a buffer, since the register block stores whole vectors.
      HWY_ALIGN float whole[dot_rows * width] = {};
      for (int64_t row = 0; row < rows && t.accumulate; ++row)
        std::copy_n(part.c + row * t.ldc, columns, whole + row * width);
      part.c = whole;
      part.ldc = width;
      IntegerTileColumns<Dot, bits, dot_vectors>(part, rows, vectors, blocks);
      for (int64_t row = 0; row < rows; ++row) std::copy_n(whole + row * width, columns, t.c + (i + row) * t.ldc + j);
    }
  }
}

// The same bits as quantise_block(), for 32 floats, except that a block of tiny numbers keeps its scale; its values are
// 0.
template <class Dot>
HWY_INLINE void QuantiseBlock(const float* x, int32_t zero, RowBlock<Dot>& to) {
  const SumTag d;
  const DotTag di;
  const hn::Rebind<int8_t, SumTag> d8;
  constexpr int vectors = static_cast<int>(quantised_block / dot_lanes);
  // The largest magnitude, compared as integers: infinity and NaN are larger than everything else.
  DotV bits = hn::BitCast(di, hn::Abs(hn::LoadU(d, x)));
  for (int v = 1; v < vectors; ++v) bits = hn::Max(bits, hn::BitCast(di, hn::Abs(hn::LoadU(d, x + v * dot_lanes))));
  const float largest = hn::GetLane(hn::BitCast(d, hn::MaxOfLanes(di, bits))), up = 127.0f / largest;
  const bool finite = largest <= hwy::HighestValue<float>();
  const auto inverse = hn::Set(d, finite && largest >= 0x1p-100f ? up : 0.0f);
  HWY_ALIGN int8_t values[quantised_block];
  DotV sum = hn::Zero(di);
  for (int v = 0; v < vectors; ++v) {
    const auto scaled = hn::Mul(hn::LoadU(d, x + v * dot_lanes), inverse);
    const DotV value = hn::NearestInt(finite ? scaled : inverse);
    hn::StoreU(hn::DemoteTo(d8, value), d8, values + v * dot_lanes);
    sum = hn::Add(sum, value);
  }
  to.scale = finite ? largest / 127.0f : std::numeric_limits<float>::quiet_NaN();
  to.start = -zero * hn::GetLane(hn::SumOfLanes(di, sum));
  Dot::arrange(values, to.values);
}

// Quantises a row of k floats; the last block is filled up with zeros.
template <class Dot>
void QuantiseRow(const float* x, int64_t k, int32_t zero, RowBlock<Dot>* to) {
  const int64_t whole = k / quantised_block * quantised_block;
  for (int64_t i = 0; i < whole; i += quantised_block) QuantiseBlock(x + i, zero, *to++);
  if (whole == k) return;
  HWY_ALIGN float padded[quantised_block] = {};
  std::copy_n(x + whole, k - whole, padded);
  QuantiseBlock(padded, zero, *to);
}

}  // namespace statera::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
