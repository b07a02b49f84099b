#include "core/memory.hpp"

#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

// Under AddressSanitizer all of it comes from the heap, which that watches.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#define STATERA_MAPS_MEMORY
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace statera {

namespace {
constexpr size_t line = 64;
constexpr size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }
std::atomic<int64_t> calls{0};

// The line before what is handed out.
struct Header {
  size_t mapped;  // bytes that the system gave; 0: from the heap
};

#if defined(STATERA_MAPS_MEMORY)
constexpr size_t huge_page = size_t{2} << 20;

// From the system and back to it: in the heap, pieces that begin at a multiple of 2 MiB leave gaps.
void* map(size_t bytes) {
  const size_t wanted = round_up(bytes, static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  void* all = mmap(nullptr, wanted + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return nullptr;
  auto* begin = static_cast<char*>(all);
  const size_t before = (huge_page - reinterpret_cast<uintptr_t>(begin) % huge_page) % huge_page;
  if (before > 0) munmap(begin, before);
  begin += before;
  munmap(begin + wanted, huge_page - before);
  // Whole huge pages only, so that a piece never takes more than it asked for. A system without them refuses, and small ones do as well.
  static_cast<void>(madvise(begin, bytes / huge_page * huge_page, MADV_HUGEPAGE));
  return new (begin) Header{wanted};
}
#endif

void* from_the_heap(size_t bytes) {
  void* begin = std::aligned_alloc(line, round_up(bytes, line));
  return begin ? new (begin) Header{0} : nullptr;
}
}  // namespace

void FreeMemory::operator()(void* p) const noexcept {
  void* begin = static_cast<char*>(p) - line;
#if defined(STATERA_MAPS_MEMORY)
  if (const size_t mapped = static_cast<Header*>(begin)->mapped; mapped > 0) {
    munmap(begin, mapped);
    return;
  }
#endif
  std::free(begin);
}

int64_t memory_calls() noexcept { return calls.load(std::memory_order_relaxed); }

Memory allocate_memory(size_t bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  if (bytes > std::numeric_limits<size_t>::max() / 2) throw std::bad_alloc();  // so that no sum runs over
  const size_t all = line + bytes;
#if defined(STATERA_MAPS_MEMORY)
  void* begin = all >= huge_page ? map(all) : from_the_heap(all);
#else
  void* begin = from_the_heap(all);
#endif
  if (!begin) throw std::bad_alloc();
  return Memory(static_cast<char*>(begin) + line);
}

}  // namespace statera
