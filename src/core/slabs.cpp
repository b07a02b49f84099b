#include "core/slabs.hpp"

#include <algorithm>
#include <new>

namespace statera {

namespace {
constexpr size_t huge_page = Slabs::huge_page, most_pages = 8;

struct FreePiece {
  FreePiece* next;
};  // lies in the piece

// The smallest number of huge pages that leaves at most a sixteenth unused, at most eight.
size_t slab_bytes(size_t piece) {
  size_t bytes = huge_page;
  while (bytes < most_pages * huge_page && (bytes < piece || bytes % piece > bytes / 16)) bytes += huge_page;
  return bytes;
}
}  // namespace

struct Slabs::Slab {
  char* begin = nullptr;
  size_t fresh = 0, used = 0;  // fresh: offset of the bytes that were never handed out; used: number of pieces in use
  FreePiece* free = nullptr;
};

struct Slabs::Size {
  explicit Size(size_t bytes) : piece(bytes), slab(slab_bytes(bytes)) {}
  size_t piece, slab;
  size_t elsewhere = 0;  // number of pieces outside the slabs
  std::vector<std::unique_ptr<Slab>> slabs;
  std::vector<Slab*> with_room;  // slabs with room; the last one is filled first
};

Slabs::Slabs(Map map, Unmap unmap) : map_(map), unmap_(unmap) {}

Slabs::~Slabs() {
  for (const auto& [bytes, size] : sizes_)
    for (const auto& slab : size->slabs) unmap_(slab->begin, size->slab);
}

Slabs::Piece Slabs::take(size_t bytes) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Size>& entry = sizes_[bytes];
  if (!entry) entry = std::make_unique<Size>(bytes);
  Size& size = *entry;
  if (size.with_room.empty()) {
    const bool many = (size.elsewhere + 1) * size.piece > size.slab || !size.slabs.empty();
    auto slab = many ? std::make_unique<Slab>() : nullptr;
    size.slabs.reserve(size.slabs.size() + 1);
    size.with_room.reserve(size.slabs.size() + 1);  // reserved here so that give_back() allocates nothing
    if (slab) slab->begin = static_cast<char*>(map_(size.slab));
    if (!slab || !slab->begin) {
      ++size.elsewhere;
      return {nullptr, &size, nullptr};
    }
    size.slabs.push_back(std::move(slab));
    size.with_room.push_back(size.slabs.back().get());
  }
  Slab& slab = *size.with_room.back();
  void* piece = slab.free;
  if (slab.free) {
    slab.free = slab.free->next;
  } else {
    piece = slab.begin + slab.fresh;
    slab.fresh += size.piece;
  }
  ++slab.used;
  if (!slab.free && slab.fresh + size.piece > size.slab) size.with_room.pop_back();
  return {piece, &size, &slab};
}

void Slabs::give_back(const Piece& piece) noexcept {
  const std::lock_guard lock(mutex_);
  Size& size = *piece.size;
  if (piece.slab) {
    Slab& slab = *piece.slab;
    const bool was_full = !slab.free && slab.fresh + size.piece > size.slab;
    slab.free = new (piece.begin) FreePiece{slab.free};
    --slab.used;
    if (was_full) size.with_room.push_back(&slab);
    // One empty slab stays while others are in use, so that a count that goes up and down by one does not map and
    // unmap.
    if (slab.used == 0 && size.with_room.size() > 1) remove(size, slab);
  } else {
    --size.elsewhere;
  }
  if (size.elsewhere > 0) return;
  for (const auto& slab : size.slabs)
    if (slab->used > 0) return;
  while (!size.slabs.empty()) remove(size, *size.slabs.back());
  sizes_.erase(size.piece);
}

void Slabs::remove(Size& size, Slab& slab) noexcept {
  unmap_(slab.begin, size.slab);
  size.with_room.erase(std::find(size.with_room.begin(), size.with_room.end(), &slab));
  size.slabs.erase(std::find_if(size.slabs.begin(), size.slabs.end(), [&](const auto& s) { return s.get() == &slab; }));
}

}  // namespace statera
