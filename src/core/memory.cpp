#include "core/memory.hpp"

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace statera {

namespace {
constexpr size_t line = 64;
constexpr size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

#if defined(__linux__)
constexpr size_t page = 4096, huge_page = size_t{2} << 20;

// From the system and back to it: in the heap, pieces that begin at a multiple of 2 MiB leave gaps.
Memory map(size_t bytes) {
  const size_t wanted = round_up(bytes, page);
  void* all = mmap(nullptr, wanted + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<char*>(all);
  const size_t before = (huge_page - reinterpret_cast<uintptr_t>(begin) % huge_page) % huge_page;
  if (before > 0) munmap(begin, before);
  if (before < huge_page) munmap(begin + before + wanted, huge_page - before);
  Memory memory(begin + before, {wanted});
  // Whole huge pages only, so that a piece never takes more than it asked for. A system without them refuses, and small ones do as well.
  static_cast<void>(madvise(memory.get(), bytes / huge_page * huge_page, MADV_HUGEPAGE));
  return memory;
}
#endif
}  // namespace

void FreeMemory::operator()(void* p) const noexcept {
#if defined(__linux__)
  if (mapped > 0) {
    munmap(p, mapped);
    return;
  }
#endif
  std::free(p);
}

Memory allocate_memory(size_t bytes) {
#if defined(__linux__)
  if (bytes >= huge_page) return map(bytes);
#endif
  Memory memory(std::aligned_alloc(line, round_up(bytes, line)), {});
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace statera
