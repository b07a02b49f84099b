// The logistic domain in integers. A probability has 16 bits (1 to 65535, in units of 2^-16); stretch(p) = ln(p / (1 -
// p)) and what is mixed there have 8 bits after the point. The tables are made at start-up by integer arithmetic alone,
// so they have the same bits on every machine.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

namespace statera::counts {

constexpr int32_t stretch_limit = 2900;  // more than stretch(65535) = 256 ln 65535 = 2839

struct Logistic {
  std::array<uint16_t, 2 * stretch_limit + 1> squash;
  std::array<int16_t, 65536> stretch;
};

// Made at the first call; constant, so any thread may read it.
const Logistic& logistic();

inline uint32_t squash(const Logistic& tables, int32_t x) {
  return tables.squash[static_cast<size_t>(std::clamp(x, -stretch_limit, stretch_limit) + stretch_limit)];
}
inline int32_t stretch(const Logistic& tables, uint32_t p) { return tables.stretch[p]; }

}  // namespace statera::counts
