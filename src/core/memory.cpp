#include "core/memory.hpp"

#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

#include "core/slabs.hpp"

// Under AddressSanitizer all memory comes from the heap, which it watches.
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

// The cache line before the memory that is handed out.
struct Header {
  size_t mapped = 0;   // bytes mapped from the system; 0: from the heap or a slab
  Slabs::Piece piece;  // if it has a size, Slabs counts it
};
static_assert(sizeof(Header) <= line);

#if defined(STATERA_MAPS_MEMORY)
constexpr size_t huge_page = Slabs::huge_page;

// Maps whole pages from the system; null if it has none. On the heap, allocations aligned to 2 MiB would leave gaps.
void* map(size_t bytes) {
  void* all = mmap(nullptr, bytes + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return nullptr;
  auto* begin = static_cast<char*>(all);
  const size_t before = (huge_page - reinterpret_cast<uintptr_t>(begin) % huge_page) % huge_page;
  if (before > 0) munmap(begin, before);
  begin += before;
  munmap(begin + bytes, huge_page - before);
  // Huge pages only where they lie wholly within the allocation, so that it never takes more memory than asked for. The
  // system may refuse; small pages work as well.
  static_cast<void>(madvise(begin, bytes / huge_page * huge_page, MADV_HUGEPAGE));
  return begin;
}
void unmap(void* begin, size_t bytes) { munmap(begin, bytes); }

Slabs& slabs() {
  static Slabs* all = new Slabs(map, unmap);  // never destroyed, since tensors may be static
  return *all;
}
#endif

void* from_the_heap(size_t bytes, const Slabs::Piece& piece = {}) {
  void* begin = std::aligned_alloc(line, round_up(bytes, line));
  return begin ? new (begin) Header{0, piece} : nullptr;
}

void* from_somewhere(size_t bytes) {
#if defined(STATERA_MAPS_MEMORY)
  if (bytes >= huge_page) {
    const size_t pages = round_up(bytes, static_cast<size_t>(sysconf(_SC_PAGESIZE)));
    void* begin = map(pages);
    return begin ? new (begin) Header{pages, {}} : nullptr;
  }
  if (bytes >= Slabs::smallest) {
    const Slabs::Piece piece = slabs().take(round_up(bytes, line));
    if (piece.begin) return new (piece.begin) Header{0, piece};
    void* begin = from_the_heap(bytes, piece);
    if (!begin) slabs().give_back(piece);
    return begin;
  }
#endif
  return from_the_heap(bytes);
}
}  // namespace

void FreeMemory::operator()(void* p) const noexcept {
  void* begin = static_cast<char*>(p) - line;
#if defined(STATERA_MAPS_MEMORY)
  const Header header = *static_cast<Header*>(begin);
  if (header.mapped > 0) return unmap(begin, header.mapped);
  if (header.piece.size) slabs().give_back(header.piece);
  if (header.piece.slab) return;
#endif
  std::free(begin);
}

int64_t memory_calls() noexcept { return calls.load(std::memory_order_relaxed); }

Memory allocate_memory(size_t bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  if (bytes > std::numeric_limits<size_t>::max() / 2) throw std::bad_alloc();  // so that no sum overflows
  void* begin = from_somewhere(line + bytes);
  if (!begin) throw std::bad_alloc();
  return Memory(static_cast<char*>(begin) + line);
}

}  // namespace statera
