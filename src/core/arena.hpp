// A bump allocator whose blocks survive reset(): after one round of equal shapes it allocates nothing from the heap.
// Everything handed out is aligned to 64 bytes and has 64 readable bytes behind it. Not thread safe: allocate before a
// parallel region.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/memory.hpp"
#include "statera/tensor.hpp"

namespace statera {

class Arena {
 public:
  struct Mark {
    size_t block = 0, used = 0, total = 0;
  };

  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* allocate(size_t bytes);
  template <class T>
  T* allocate_array(int64_t count) {
    return static_cast<T*>(allocate(static_cast<size_t>(count) * sizeof(T)));
  }
  View allocate(DType dtype, const Shape& shape);

  Mark mark() const;
  void release(const Mark&);  // what came after the mark
  void reset();               // everything; several blocks become one, so that the next round is one block

  size_t used() const { return total_; }
  size_t peak() const { return peak_; }

  // Laws test: new memory is filled with NaN and followed by a sentinel, which check_sentinels() (called by release,
  // reset and the destructor too) verifies: it throws where nothing can catch, which ends the test by std::terminate.
  static void set_poison(bool on);
  static void poison(void* memory, size_t bytes);  // the same NaN for memory that is to be used again
  void check_sentinels() const noexcept;

 private:
  struct Block {
    Memory memory;
    std::byte* begin;
    size_t size;
  };
  struct Guard {
    std::byte *begin, *end;
  };  // the sentinel behind what was handed out
  void add_block(size_t bytes);

  std::vector<Block> blocks_;
  std::vector<Guard> guards_;
  size_t block_ = 0, used_ = 0, total_ = 0, peak_ = 0;
};

// Scratch memory of a scope: released when it ends.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ~ArenaScope() { arena_.release(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

}  // namespace statera
