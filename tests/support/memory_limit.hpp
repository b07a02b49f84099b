// Lets a test run where little memory is free.
#pragma once
#include <cmath>

#include "core/machine.hpp"

namespace statera::test {

// As long as it lives, require_memory() grants `bytes` and no more, whatever else was allocated.
struct MemoryLimit {
  explicit MemoryLimit(double bytes) { limit_free_memory(16e6 + bytes); }  // 16 MB are left over
  ~MemoryLimit() { limit_free_memory(INFINITY); }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
};

}  // namespace statera::test
