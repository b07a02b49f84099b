// Quantises weights and arranges them in panels, for reference and fast path.
#include "ops/matmul/quantised.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

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

// Reads n values of row o from column `first` on, where a scale block begins.
void read_block(const QuantisedMatrix& from, int64_t o, int64_t first, int64_t n, int8_t* q) {
  if (from.format == WeightFormat::int8) {
    std::copy_n(from.values.as<int8_t>() + o * from.values.cols() + first, n, q);
    return;
  }
  const uint8_t* bytes = from.values.as<uint8_t>() + o * from.values.cols() + first / 2;
  for (int64_t i = 0; i < n; ++i) q[i] = static_cast<int8_t>((bytes[i / 2] >> (i % 2 * 4) & 15) - 8);
}
}  // namespace

Shape QuantisedMatrix::values_shape(WeightFormat format, const Shape& matrix) {
  return {matrix[0], format == WeightFormat::int8 ? matrix[1] : (matrix[1] + 1) / 2};
}
Shape QuantisedMatrix::scales_shape(const Shape& matrix) { return {matrix[0], blocks_of(matrix[1])}; }

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

int64_t QuantisedPanels::bytes(WeightFormat format, int64_t n, int64_t k) {
  return Panels::elements(n, blocks_of(k)) * column_bytes(format);
}

int64_t QuantisedPanels::place(int64_t row, int64_t column) const {
  // `rows`: how many rows share a group of four bytes
  const int64_t p = column / Panels::width, at = row % quantised_block, rows = 32 / bits(format);
  return panel(p) - data + row / quantised_block * block_bytes(p) + stride(p) * static_cast<int64_t>(sizeof(float)) +
         (at / rows * stride(p) + column % Panels::width) * 4 + at % 4;
}

float QuantisedPanels::scale(int64_t column, int64_t block) const {
  const int64_t p = column / Panels::width;
  float scale = 0;
  std::memcpy(&scale, panel(p) + block * block_bytes(p) + column % Panels::width * static_cast<int64_t>(sizeof(float)),
              sizeof(scale));
  return scale;
}

int32_t QuantisedPanels::value(int64_t row, int64_t column) const {
  const int32_t byte = std::to_integer<int32_t>(data[place(row, column)]);
  return (format == WeightFormat::int8 ? byte : row % 8 < 4 ? byte & 15 : byte >> 4) - zero();
}

QuantisedPanels QuantisedPanels::pack(ThreadPool& pool, const QuantisedMatrix& from, int64_t in,
                                      std::byte* memory) noexcept {
  const QuantisedPanels to{memory, from.format, from.values.rows(), in};
  pool.run(to.count(), [&](int64_t p, int) {
    std::byte* block = memory + (to.panel(p) - memory);
    for (int64_t b = 0; b < to.blocks(); ++b, block += to.block_bytes(p))
      for (int64_t j = 0; j < to.stride(p); ++j) {
        const int64_t o = p * Panels::width + j;
        int8_t q[quantised_block] = {};
        if (o < to.n) read_block(from, o, b * quantised_block, std::min(quantised_block, in - b * quantised_block), q);
        const float scale = o < to.n ? from.scales.as<float>()[o * to.blocks() + b] : 0;
        std::memcpy(block + j * static_cast<int64_t>(sizeof(scale)), &scale, sizeof(scale));
        const auto kept = [&](int64_t i) { return q[i] + to.zero(); };
        std::byte* lane = block + to.stride(p) * static_cast<int64_t>(sizeof(scale)) + 4 * j;
        for (int64_t i = 0; i < quantised_block; i += 32 / bits(to.format), lane += 4 * to.stride(p))
          for (int64_t k = 0; k < 4; ++k)
            lane[k] = static_cast<std::byte>(to.format == WeightFormat::int8 ? kept(i + k)
                                                                             : kept(i + k) | kept(i + 4 + k) << 4);
      }
  });
  return to;
}

void QuantisedPanels::unpack(const QuantisedMatrix& to) const noexcept {
  for (int64_t o = 0; o < n; ++o) {
    for (int64_t b = 0; b < blocks(); ++b) to.scales.as<float>()[o * blocks() + b] = scale(o, b);
    for (int64_t i = 0; i < k; ++i) {
      const int32_t q = value(i, o);
      if (format == WeightFormat::int8) {
        to.values.as<int8_t>()[o * k + i] = static_cast<int8_t>(q);
        continue;
      }
      uint8_t& byte = to.values.as<uint8_t>()[o * to.values.cols() + i / 2];
      byte = static_cast<uint8_t>(i % 2 ? (byte & 15) | (q + 8) << 4 : (q + 8) | 8 << 4);  // after an odd row: 0
    }
  }
}

}  // namespace statera
