// Pieces of memory smaller than a huge page, many of one size, side by side in slabs of whole huge pages: states of
// many sequences, blocks of keys and values, weights of small layers. From the heap each would lie in small pages, and
// a pass over all of them would miss the page tables' cache at each.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace statera {

// Thread-safe.
class Slabs {
 public:
  static constexpr size_t smallest = size_t{8} << 10;  // below, a piece is not worth it
  static constexpr size_t huge_page = size_t{2} << 20;
  struct Slab;
  struct Size;  // of all pieces of one size
  struct Piece {
    // null: take it from elsewhere, and give it back here all the same, since those that lie elsewhere are counted
    void* begin = nullptr;
    Size* size = nullptr;
    Slab* slab = nullptr;
  };
  using Map = void* (*)(size_t bytes);  // whole huge pages, null if there are none
  using Unmap = void (*)(void* begin, size_t bytes);

  Slabs(Map map, Unmap unmap);
  ~Slabs();

  // A piece of exactly these bytes, at least `smallest`. Only a size that would fill a slab gets one, so that a small
  // model takes no huge page for a few of its tensors. Throws bad_alloc.
  Piece take(size_t bytes);
  void give_back(const Piece& piece) noexcept;  // with its last piece a size is forgotten

 private:
  void remove(Size& size, Slab& slab) noexcept;

  std::mutex mutex_;
  std::map<size_t, std::unique_ptr<Size>> sizes_;
  Map map_;
  Unmap unmap_;
};

}  // namespace statera
