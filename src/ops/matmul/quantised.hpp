// The product y = x W^T + bias with W in 8 or 4 bits, for inference: how numbers become whole numbers, the panels that
// the product reads, and its kernels. See quantised.md.
#pragma once
#include <cstddef>

#include "kernels/kernels.hpp"
#include "ops/matmul/panels.hpp"
#include "statera/tensor.hpp"

namespace statera {

inline constexpr int64_t quantised_block = 32;  // so many numbers along `in` share a scale

// A matrix [out, in] as a file keeps it: number [o, i] is scales[o, i / 32] * value[o, i].
struct QuantisedMatrix {
  WeightFormat format = WeightFormat::int8;
  View values;  // int8: i8 [out, in]; int4: u8 [out, (in + 1) / 2], value + 8 of an even i in the low half of a byte
  View scales;  // f32 [out, blocks of in]

  static Shape values_shape(WeightFormat, const Shape& matrix);
  static Shape scales_shape(const Shape& matrix);
  static DType values_dtype(WeightFormat format) { return format == WeightFormat::int8 ? DType::i8 : DType::u8; }
};

// Rounds n <= 32 numbers to whole ones up to 127 in magnitude and returns their scale; the arithmetic of activations
// too (quantised.md). Numbers that are not finite, or all tiny, become 0 with the scale NaN, or 0.
float quantise_block(const float* x, int64_t n, int8_t* q) noexcept;
// Fills values and scales from a finite matrix f32 [out, in].
void quantise(ThreadPool&, const View& matrix, const QuantisedMatrix& to) noexcept;

// Its transpose in panels of 48 columns, the last one rounded up to 16. Panel by panel and block by block: a float
// scale for each column, then the values, 4 rows of a column side by side. int8: value + 128. int4: value + 8, rows 0
// to 3 of eight in the low halves, 4 to 7 in the high ones. What pads rows and columns is 0, with the scale 0 in a
// column.
struct QuantisedPanels {
  const std::byte* data = nullptr;
  WeightFormat format = WeightFormat::int8;
  int64_t n = 0, k = 0;

  static constexpr int64_t bits(WeightFormat f) { return f == WeightFormat::int8 ? 8 : 4; }
  static constexpr int64_t column_bytes(WeightFormat f) {
    return static_cast<int64_t>(sizeof(float)) + quantised_block * bits(f) / 8;
  }
  int32_t zero() const { return 1 << (bits(format) - 1); }  // how a value of 0 is kept
  int64_t blocks() const { return (k + quantised_block - 1) / quantised_block; }
  int64_t count() const { return Panels{nullptr, n, k}.count(); }
  int64_t columns(int64_t p) const { return Panels{nullptr, n, k}.columns(p); }
  int64_t stride(int64_t p) const { return Panels{nullptr, n, k}.stride(p); }  // columns, with what pads them
  int64_t block_bytes(int64_t p) const { return stride(p) * column_bytes(format); }
  const std::byte* panel(int64_t p) const { return data + p * Panels::width * blocks() * column_bytes(format); }

  float scale(int64_t column, int64_t block) const;
  int32_t value(int64_t row, int64_t column) const;

  static int64_t bytes(WeightFormat, int64_t n, int64_t k);
  // Fills `memory` (bytes(format, out, in)).
  static QuantisedPanels pack(ThreadPool&, const QuantisedMatrix& from, int64_t in, std::byte* memory) noexcept;
  void unpack(const QuantisedMatrix& to) const noexcept;  // the same values and scales again

 private:
  int64_t place(int64_t row, int64_t column) const;  // of its byte
};

// y (+)= x W^T: each row of x is quantised in blocks, sums of a block are whole numbers, and the blocks are added in
// ascending order.
template <class T>
struct QuantisedProduct {
  const float* x;  // [rows, k], rows x_stride apart
  int64_t x_stride;
  QuantisedPanels w;
  T* y;  // [rows, n], rows y_stride apart
  int64_t y_stride;
  int64_t rows;
  bool accumulate;
};

template <class T>
struct QuantisedKernels {
  const char* name;
  void (*product)(const QuantisedProduct<T>&, Exec&) noexcept;
};
// whole numbers made in float, as always; their sums in double: for tests
extern const QuantisedKernels<double> quantised_ref_f64;
extern const QuantisedKernels<float> quantised_ref_f32, quantised_cpu;
inline constexpr Kernels<QuantisedKernels> quantised_kernels{
    .op = "quantised", .f64 = &quantised_ref_f64, .f32 = &quantised_ref_f32, .f32_cpu = &quantised_cpu};

}  // namespace statera
