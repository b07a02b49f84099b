// The product y = x W^T with W in 8 or 4 bits, for inference: the panels that the product reads, and its kernels. See
// quantised.md.
#pragma once
#include <cstddef>

#include "kernels/kernels.hpp"
#include "kernels/quantised_matrix.hpp"
#include "ops/matmul/panels.hpp"
#include "statera/tensor.hpp"

namespace statera {

// The transpose W^T in panels of 48 columns, the last one rounded up to a multiple of 16. A panel is stored scale block
// by scale block: one float scale per column, then the values, 4 rows of a column side by side. int8: value + 128.
// int4: value + 8, with rows 0 to 3 of each eight in the low halves of the bytes and 4 to 7 in the high halves. Padding
// has the value 0, and in padded columns the scale 0. Borrows the memory.
struct QuantisedPanels {
  const std::byte* data = nullptr;
  WeightFormat format = WeightFormat::int8;
  int64_t n = 0, k = 0;

  static constexpr int64_t bits(WeightFormat f) { return f == WeightFormat::int8 ? 8 : 4; }
  static constexpr int64_t column_bytes(WeightFormat f) {
    return static_cast<int64_t>(sizeof(float)) + quantised_block * bits(f) / 8;
  }
  int32_t zero() const { return 1 << (bits(format) - 1); }  // how a value of 0 is stored
  int64_t blocks() const { return (k + quantised_block - 1) / quantised_block; }
  int64_t count() const { return Panels{.n = n, .k = k}.count(); }
  int64_t columns(int64_t p) const { return Panels{.n = n, .k = k}.columns(p); }
  int64_t stride(int64_t p) const { return Panels{.n = n, .k = k}.stride(p); }  // columns with padding
  int64_t block_bytes(int64_t p) const { return stride(p) * column_bytes(format); }
  const std::byte* panel(int64_t p) const { return data + p * Panels::width * blocks() * column_bytes(format); }

  float scale(int64_t column, int64_t block) const;
  int32_t value(int64_t row, int64_t column) const;

  static int64_t bytes(WeightFormat, int64_t n, int64_t k);
  // Fills `memory`, bytes(format, out, in) bytes, and returns the panels.
  static QuantisedPanels pack(ThreadPool&, const QuantisedMatrix& from, int64_t in, std::byte* memory) noexcept;
  void unpack(const QuantisedMatrix& to) const noexcept;  // restores the values and scales that were packed

 private:
  int64_t place(int64_t row, int64_t column) const;  // the index of the byte with this value
};

// y (+)= x W^T. Each row of x is quantised in scale blocks. The sum of a scale block is an integer, and the scale
// blocks are added in ascending order.
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
  Kernel<void(const QuantisedProduct<T>&, Exec&) noexcept> product;
};
// For tests: quantised in float, like the others, but the sums of scale blocks are added in double.
extern const QuantisedKernels<double> quantised_ref_f64;
extern const QuantisedKernels<float> quantised_ref_f32, quantised_cpu;
inline constexpr Kernels<QuantisedKernels> quantised_kernels{
    .op = "quantised", .f64 = &quantised_ref_f64, .f32 = &quantised_ref_f32, .f32_cpu = &quantised_cpu};

}  // namespace statera
