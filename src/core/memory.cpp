#include "core/memory.hpp"

#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace statera {

namespace {
constexpr size_t line = 64, huge_page = size_t{2} << 20;
size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }
}  // namespace

void FreeMemory::operator()(void* p) const noexcept { std::free(p); }

Memory allocate_memory(size_t bytes) {
  const size_t alignment = bytes >= huge_page ? huge_page : line;
  Memory memory(std::aligned_alloc(alignment, round_up(bytes, alignment)));
  if (!memory) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  // Whole pages only: a piece never takes more memory than it asked for. A system without huge pages refuses, and small ones do as well.
  if (bytes >= huge_page) static_cast<void>(madvise(memory.get(), bytes / huge_page * huge_page, MADV_HUGEPAGE));
#endif
  return memory;
}

}  // namespace statera
