// Memory of tensors and arenas: aligned to 64 bytes; large pieces lie in huge pages where the system has them, because a pass over megabytes of
// small pages misses the page tables' cache at each of them (2 to 5 % of a training step).
#pragma once
#include <cstddef>
#include <memory>

namespace statera {

struct FreeMemory {
  size_t mapped = 0;  // bytes that the system gave; 0: from the heap
  void operator()(void* p) const noexcept;
};
using Memory = std::unique_ptr<void, FreeMemory>;

// Not initialised. Throws std::bad_alloc.
Memory allocate_memory(size_t bytes);

}  // namespace statera
