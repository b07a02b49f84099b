// Quantises matrices, for every kernel that reads them.
#include "kernels/quantised_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/check.hpp"

namespace statera {

namespace {
constexpr float largest_value = 127, smallest_magnitude = 0x1p-100f;  // below it 127 / x would overflow

// Like quantise_block() for int4: the number of largest magnitude becomes -8, so the scale may be negative.
float quantise_block_int4(const float* x, int64_t n, int8_t* q) {
  float extreme = 0;
  for (int64_t i = 0; i < n; ++i)
    if (std::abs(x[i]) > std::abs(extreme)) extreme = x[i];
  if (std::abs(extreme) < smallest_magnitude) {
    std::fill_n(q, n, int8_t{0});
    return 0;
  }
  const float scale = extreme / -8, inverse = 1 / scale;
  for (int64_t i = 0; i < n; ++i) q[i] = static_cast<int8_t>(std::min(7.0f, std::nearbyint(x[i] * inverse)));
  return scale;
}

int64_t blocks_of(int64_t in) { return (in + quantised_block - 1) / quantised_block; }
}  // namespace

Shape QuantisedMatrix::values_shape(WeightFormat format, const Shape& matrix) {
  return {matrix[0], format == WeightFormat::int8 ? matrix[1] : (matrix[1] + 1) / 2};
}
Shape QuantisedMatrix::scales_shape(const Shape& matrix) { return {matrix[0], blocks_of(matrix[1])}; }

bool QuantisedMatrix::fits(const Shape& matrix) const {
  return format != WeightFormat::f32 && values.dtype == values_dtype(format) && scales.dtype == DType::f32 &&
         values.shape == values_shape(format, matrix) && scales.shape == scales_shape(matrix) && values.dense() &&
         scales.dense();
}

std::string QuantisedMatrix::str() const {
  const auto text = [](const View& v) {
    return std::string(name_of(v.dtype)) + v.shape.str() + (v.dense() ? "" : " with gaps between rows");
  };
  return "values " + text(values) + " and scales " + text(scales);
}

QuantisedTensors QuantisedTensors::zero(WeightFormat format, const Shape& matrix) {
  return {format, Tensor(QuantisedMatrix::values_dtype(format), QuantisedMatrix::values_shape(format, matrix)),
          Tensor(DType::f32, QuantisedMatrix::scales_shape(matrix))};
}

void QuantisedStore::quantise(ThreadPool& pool, const View& matrix, WeightFormat format) {
  require(matrix.shape.rank() == 2 && matrix.dtype == DType::f32, ErrorCode::shape,
          "[weight] expected f32 [out, in], got ", name_of(matrix.dtype), matrix.shape);
  require(format != WeightFormat::f32, ErrorCode::unsupported, "[weight] f32 needs no quantising");
  QuantisedTensors made = QuantisedTensors::zero(format, matrix.shape);
  statera::quantise(pool, matrix, made.view());
  take(pool, std::move(made), matrix.cols());
}

double quantised_bytes(WeightFormat format, const Shape& matrix) {
  const double out = static_cast<double>(matrix[0]), in = static_cast<double>(matrix[1]),
               bytes = format == WeightFormat::int8 ? in : std::ceil(in / 2);
  return out * (bytes + std::ceil(in / quantised_block) * sizeof(float));
}

float quantise_block(const float* x, int64_t n, int8_t* q) noexcept {
  float largest = 0;
  bool finite = true;
  for (int64_t i = 0; i < n; ++i) {
    finite = finite && std::isfinite(x[i]);
    largest = std::max(largest, std::abs(x[i]));
  }
  if (!finite || largest < smallest_magnitude) {
    std::fill_n(q, n, int8_t{0});
    return finite ? 0 : std::numeric_limits<float>::quiet_NaN();
  }
  const float inverse = largest_value / largest;
  for (int64_t i = 0; i < n; ++i) q[i] = static_cast<int8_t>(std::nearbyint(x[i] * inverse));
  return largest / largest_value;
}

void quantise(ThreadPool& pool, const View& matrix, const QuantisedMatrix& to) noexcept {
  const int64_t in = matrix.cols(), blocks = blocks_of(in);
  pool.run(matrix.rows(), [&](int64_t o, int) {
    const float* x = matrix.as<float>() + o * matrix.stride;
    float* scales = to.scales.as<float>() + o * blocks;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t first = b * quantised_block, n = std::min(quantised_block, in - first);
      if (to.format == WeightFormat::int8) {
        scales[b] = quantise_block(x + first, n, to.values.as<int8_t>() + o * in + first);
        continue;
      }
      int8_t q[quantised_block + 1] = {};
      scales[b] = quantise_block_int4(x + first, n, q);
      uint8_t* bytes = to.values.as<uint8_t>() + o * to.values.cols() + first / 2;
      for (int64_t i = 0; i < n; i += 2) bytes[i / 2] = static_cast<uint8_t>((q[i] + 8) | (q[i + 1] + 8) << 4);
    }
  });
}

void read_block(const QuantisedMatrix& from, int64_t o, int64_t first, int64_t n, int8_t* q) noexcept {
  if (from.format == WeightFormat::int8) {
    std::copy_n(from.values.as<int8_t>() + o * from.values.cols() + first, n, q);
    return;
  }
  const uint8_t* bytes = from.values.as<uint8_t>() + o * from.values.cols() + first / 2;
  for (int64_t i = 0; i < n; ++i) q[i] = static_cast<int8_t>((bytes[i / 2] >> (i % 2 * 4) & 15) - 8);
}

}  // namespace statera
