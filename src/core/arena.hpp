// A bump allocator that keeps its memory across reset(): after the first round of equal shapes it takes nothing from
// the heap. Everything it hands out is aligned to 64 bytes and has 64 readable bytes after its end.
//
// Owns its memory; what it handed out is valid until release() or reset(). Not thread safe: allocate before tasks
// start.
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
  void release(const Mark&);  // frees what was allocated after the mark
  void reset();               // frees everything; next time, one large piece of memory takes the place of several

  size_t used() const { return total_; }
  size_t peak() const { return peak_; }

  // For the laws' tests. When on, new memory is filled with NaN and followed by a sentinel. check_sentinels() verifies
  // them; release(), reset() and the destructor call it. A damaged sentinel throws out of a noexcept function, which
  // ends the test through std::terminate.
  static void set_poison(bool on);
  static void poison(void* memory, size_t bytes);  // fills memory that is about to be reused with the same NaN
  void check_sentinels() const noexcept;

 private:
  struct Block {  // a piece of memory from the system
    Memory memory;
    std::byte* begin;
    size_t size;
  };
  // where the sentinel after an allocation lies
  struct Guard {
    std::byte *begin, *end;
  };
  void add_block(size_t bytes);

  std::vector<Block> blocks_;
  std::vector<Guard> guards_;
  size_t block_ = 0, used_ = 0, total_ = 0, peak_ = 0;
};

// Scratch memory for a scope: everything allocated while it lives is freed when it ends. Borrows the arena; scopes of
// one arena must end in the opposite order to that in which they began.
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
