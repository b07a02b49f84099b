// Memory of tensors and arenas: aligned to 64 bytes; large pieces, and smaller ones of which there are many
// (slabs.hpp), lie in huge pages where the system has them, because a pass over megabytes of small pages misses the
// page tables' cache at each of them (docs/log.md, 2026-11-28).
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace statera {

struct FreeMemory {
  void operator()(void* p) const noexcept;
};
using Memory = std::unique_ptr<void, FreeMemory>;

// Not initialised. Throws std::bad_alloc.
Memory allocate_memory(size_t bytes);

// How often allocate_memory was called in this process: tests count that a step does not.
int64_t memory_calls() noexcept;

}  // namespace statera
