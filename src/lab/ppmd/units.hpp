// The memory of a PPMd model: memory blocks of 1 to 128 units of 12 bytes. A block is named by the number of its first
// unit, so a copy of the store is a copy of the model. Freed blocks wait in one list per size and are never joined
// again; a model that is full starts over.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace statera::ppmd {

using Block = uint32_t;  // 0: none
constexpr uint32_t unit_bytes = 12;

// Owns the memory. The caller must remember how many units each block has. A pointer from at() is valid until the next
// copy to this object. Not thread safe.
class Units {
 public:
  static constexpr int most = 128;  // units per block

  // `limit`: units in all. Memory is touched only as it is used.
  explicit Units(uint32_t limit) : limit_(limit), bytes_(room(limit)) {}
  Units(const Units& other) : Units(other.limit_) { *this = other; }
  Units& operator=(const Units& other) {
    if (this == &other) return *this;
    if (limit_ != other.limit_) bytes_ = room(other.limit_);
    limit_ = other.limit_, end_ = other.end_, free_ = other.free_;
    std::memcpy(bytes_.get(), other.bytes_.get(), size_t{end_} * unit_bytes);
    return *this;
  }

  void clear() { end_ = 1, free_ = {}; }
  uint32_t end() const { return end_; }  // units that are in use or in a list

  // Takes a block of at least `count` units with undefined contents; 0 if there is none. `reserved`: units of the limit
  // that are in use elsewhere.
  Block take(int count, uint32_t reserved) {
    const int size = size_for(count);
    if (free_[static_cast<size_t>(size)] != 0) return pop(size);
    if (end_ + static_cast<uint32_t>(size) + reserved <= limit_) {
      const Block block = end_;
      end_ += static_cast<uint32_t>(size);
      return block;
    }
    for (int larger = next_size(size); larger <= most; larger = next_size(larger))
      if (free_[static_cast<size_t>(larger)] != 0) {
        const Block block = pop(larger);
        scatter(block + static_cast<uint32_t>(size), larger - size);
        return block;
      }
    return 0;
  }
  void give(Block block, int count) { push(block, size_for(count)); }
  // Frees the end of a block, which stays where it is.
  void shrink(Block block, int from, int to) {
    scatter(block + static_cast<uint32_t>(size_for(to)), size_for(from) - size_for(to));
  }
  // Whether blocks for `from` and for `to` units have the same size.
  static bool same(int from, int to) { return size_for(from) == size_for(to); }

  template <class T>
  T* at(Block block) {
    return reinterpret_cast<T*>(&bytes_[size_t{block} * unit_bytes]);
  }
  template <class T>
  const T* at(Block block) const {
    return reinterpret_cast<const T*>(&bytes_[size_t{block} * unit_bytes]);
  }

 private:
  static std::unique_ptr<std::byte[]> room(uint32_t units) {
    return std::make_unique_for_overwrite<std::byte[]>(size_t{units} * unit_bytes);
  }

  // Sizes: 1, 2, 3, 4, 6 ... 12, 15 ... 24, 28 ... 128.
  static int step(int size) { return size < 4 ? 1 : size < 12 ? 2 : size < 24 ? 3 : 4; }
  static int next_size(int size) { return size + step(size); }
  static int size_for(int count) {
    const int before = count <= 4    ? 0
                       : count <= 12 ? 4
                       : count <= 24 ? 12
                                     : 24,
              by = count <= 4    ? 1
                   : count <= 12 ? 2
                   : count <= 24 ? 3
                                 : 4;
    return before + (count - before + by - 1) / by * by;
  }

  void push(Block block, int size) {
    *at<Block>(block) = free_[static_cast<size_t>(size)];
    free_[static_cast<size_t>(size)] = block;
  }
  Block pop(int size) {
    const Block block = free_[static_cast<size_t>(size)];
    free_[static_cast<size_t>(size)] = *at<Block>(block);
    return block;
  }
  // Puts units into the lists, as the largest blocks for which there is a size.
  void scatter(Block block, int count) {
    while (count > 0) {
      int size = count;
      while (size_for(size) != size) --size;
      push(block, size);
      block += static_cast<uint32_t>(size), count -= size;
    }
  }

  uint32_t limit_, end_ = 1;
  std::array<Block, most + 1> free_{};  // by size
  std::unique_ptr<std::byte[]> bytes_;
};

}  // namespace statera::ppmd
