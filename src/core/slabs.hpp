// An allocator for many pieces of equal size, each smaller than a huge page: states of many sequences, key blocks,
// weights of small layers. It places them side by side in slabs of whole huge pages. On the heap each would lie in
// small pages of its own, and a pass over all of them would miss the TLB at every piece.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace statera {

// Owns the slabs. Thread-safe. Every Piece must be given back to the Slabs that it came from.
class Slabs {
 public:
  static constexpr size_t smallest = size_t{8} << 10;  // in bytes; smaller pieces stay on the heap
  static constexpr size_t huge_page = size_t{2} << 20;
  struct Slab;
  struct Size;  // all pieces of one size
  struct Piece {
    // Null: the caller allocates the memory elsewhere. It still gives the Piece back, because Slabs counts those too.
    void* begin = nullptr;
    Size* size = nullptr;
    Slab* slab = nullptr;
  };
  using Map = void* (*)(size_t bytes);  // returns whole huge pages, or null if there are none
  using Unmap = void (*)(void* begin, size_t bytes);

  Slabs(Map map, Unmap unmap);
  ~Slabs();

  // Takes a piece of exactly `bytes`, at least `smallest`. A size goes into slabs only once its pieces would fill one,
  // so that a small model does not take a huge page for a few tensors. Throws std::bad_alloc.
  Piece take(size_t bytes);
  void give_back(const Piece& piece) noexcept;  // with the last piece of a size, all its slabs are unmapped

 private:
  void remove(Size& size, Slab& slab) noexcept;

  std::mutex mutex_;
  std::map<size_t, std::unique_ptr<Size>> sizes_;
  Map map_;
  Unmap unmap_;
};

}  // namespace statera
