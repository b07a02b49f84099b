// Matrices in 8 or 4 bits, for inference: how numbers are quantised, how a file stores them, and what holds them in
// place of floats. See src/ops/matmul/quantised.md.
#pragma once
#include <string>
#include <vector>

#include "core/thread_pool.hpp"
#include "statera/tensor.hpp"

namespace statera {

inline constexpr int64_t quantised_block = 32;  // a scale block: this many numbers along `in` share a scale

// A matrix [out, in] as a file stores it, borrowed: number [o, i] is scales[o, i / 32] * value[o, i].
struct QuantisedMatrix {
  WeightFormat format = WeightFormat::int8;
  View values;  // int8: i8 [out, in]; int4: u8 [out, (in + 1) / 2], value + 8 of an even i in the low half of a byte
  View scales;  // f32 [out, scale blocks of in]

  static Shape values_shape(WeightFormat, const Shape& matrix);
  static Shape scales_shape(const Shape& matrix);
  static DType values_dtype(WeightFormat format) { return format == WeightFormat::int8 ? DType::i8 : DType::u8; }
  // whether it is in int8 or int4, with the shapes and dtypes of this matrix and no gaps between rows
  bool fits(const Shape& matrix) const;
  std::string str() const;  // "values i8[2, 64] and scales f32[2, 2]"
};

struct QuantisedTensors {  // the same, owned
  WeightFormat format = WeightFormat::int8;
  Tensor values, scales;

  static QuantisedTensors zero(WeightFormat, const Shape& matrix);
  QuantisedMatrix view() const { return {format, values, scales}; }
};

// What holds a matrix [out, in] in int8 or int4 in place of floats, arranged as its reader wants it. Thread safety:
// const members may be called from several threads.
class QuantisedStore {
 public:
  virtual ~QuantisedStore() = default;
  // Stores a finite matrix f32 [out, in]. Throws ErrorCode::shape or unsupported.
  void quantise(ThreadPool&, const View& matrix, WeightFormat);
  // Stores a matrix [out, in] that is in int8 or int4 already. Throws ErrorCode::shape.
  virtual void take(ThreadPool&, QuantisedTensors matrix, int64_t in) = 0;
  // What is stored, as a file stores it: borrowed from here, or from tensors that are added to `made`.
  virtual QuantisedMatrix saved(std::vector<Tensor>& made) const = 0;
};

// Bytes of a matrix as a file stores it. A double, since an impossible config may have more elements than an integer
// can count.
double quantised_bytes(WeightFormat, const Shape& matrix);

// Rounds n <= 32 numbers to integers up to 127 in magnitude and returns their scale: int8 weights, and activations
// (quantised.md). If a number is not finite, all become 0 with the scale NaN; if all are tiny, 0 with the scale 0.
float quantise_block(const float* x, int64_t n, int8_t* q) noexcept;
// Fills values and scales from a finite matrix f32 [out, in].
void quantise(ThreadPool&, const View& matrix, const QuantisedMatrix& to) noexcept;
// Reads n <= 32 values of row o from column `first` on, where a scale block begins.
void read_block(const QuantisedMatrix& from, int64_t o, int64_t first, int64_t n, int8_t* q) noexcept;

}  // namespace statera
