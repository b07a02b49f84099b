// Arranges quantised weights in panels, for reference and fast path.
#include "ops/matmul/quantised.hpp"

#include <algorithm>
#include <cstring>

namespace statera {

int64_t QuantisedPanels::bytes(WeightFormat format, int64_t n, int64_t k) {
  return Panels::elements(n, QuantisedPanels{.data = nullptr, .format = format, .n = n, .k = k}.blocks()) *
         column_bytes(format);
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
