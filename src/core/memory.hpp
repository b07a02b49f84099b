// Memory for tensors and arenas, aligned to 64 bytes. Large allocations, and many smaller ones of equal size
// (slabs.hpp), lie in huge pages where the system has them. A pass over megabytes of small pages misses the TLB at each
// of them (docs/log.md, 2026-11-28). Thread-safe.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace statera {

struct FreeMemory {
  void operator()(void* p) const noexcept;
};
using Memory = std::unique_ptr<void, FreeMemory>;

// The memory is not initialised. Throws std::bad_alloc.
Memory allocate_memory(size_t bytes);

// How often this process has called allocate_memory(). Tests use it to show that a step allocates nothing.
int64_t memory_calls() noexcept;

}  // namespace statera
