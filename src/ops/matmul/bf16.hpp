// Matrices rounded to bf16, with two neighbours of the summed index (a pair) in the place of one float. The tile
// multiplies such pairs with Precision::bf16.
#pragma once
#include <bit>
#include <cstdint>

#include "ops/matmul/panels.hpp"

namespace statera {

// How many pairs k elements make.
inline int64_t bf16_pairs(int64_t k) { return Panels::rows(k, Precision::bf16); }

// The nearest bf16, ties to even. Like the CPU's own instruction, it gives infinity beyond the largest bf16, NaN for
// NaN, and a zero of the same sign for numbers that are smaller than normal.
inline float round_to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7f800000u) == 0) return std::bit_cast<float>(bits & 0x80000000u);
  if (value != value) return std::bit_cast<float>((bits | 0x00400000u) & 0xffff0000u);
  return std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u);
}

// For an odd count, the second half of the last pair is 0. In all three, rows of the input are `stride` apart.
// to[r, p] = from[r, 2 p] and from[r, 2 p + 1]; `to` is dense, [rows, bf16_pairs(columns)].
void pair_columns(ThreadPool&, const float* from, int64_t stride, int64_t rows, int64_t columns, float* to) noexcept;
// to[p, c] = from[2 p, c] and from[2 p + 1, c]; `to` is dense, [bf16_pairs(rows), columns].
void pair_rows(ThreadPool&, const float* from, int64_t stride, int64_t rows, int64_t columns, float* to) noexcept;
// Panels::pack for Precision::bf16.
Panels pack_pairs(ThreadPool&, const View& matrix, bool transpose, float* memory) noexcept;

}  // namespace statera
