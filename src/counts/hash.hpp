// The hash of contexts.
#pragma once
#include <cstdint>

namespace statera::counts {

constexpr uint64_t mix_hash(uint64_t hash, uint64_t with) {
  hash = (hash ^ (with + 1)) * 0x9e3779b97f4a7c15u;  // 2^64 / the golden ratio
  return hash ^ (hash >> 29);
}

}  // namespace statera::counts
