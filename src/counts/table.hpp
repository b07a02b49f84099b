// The table of histories: rows of seven, found by a hash of their context.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "core/memory.hpp"

namespace statera::counts {

// An array of a size that is known at run time, zeroed. Owns its memory; a copy copies the contents.
template <class T>
class Zeroed {
 public:
  explicit Zeroed(size_t size) : size_(size), memory_(allocate_memory(size * sizeof(T))) {
    std::memset(memory_.get(), 0, size * sizeof(T));
  }
  Zeroed(const Zeroed& other) : size_(other.size_), memory_(allocate_memory(other.size_ * sizeof(T))) {
    std::memcpy(memory_.get(), other.memory_.get(), size_ * sizeof(T));
  }
  Zeroed& operator=(const Zeroed& other) { return *this = Zeroed(other); }
  Zeroed(Zeroed&&) = default;
  Zeroed& operator=(Zeroed&&) = default;

  size_t size() const { return size_; }
  T* begin() { return static_cast<T*>(memory_.get()); }
  const T* begin() const { return static_cast<const T*>(memory_.get()); }
  T& operator[](size_t i) { return begin()[i]; }
  const T& operator[](size_t i) const { return begin()[i]; }

 private:
  size_t size_;
  Memory memory_;
};

using Row = std::array<uint8_t, 7>;

// One cache line: the rows of seven contexts, each with 16 bits of its hash; a check of 0 means that a row is free.
struct Bucket {
  std::array<uint16_t, 7> check;
  std::array<Row, 7> rows;
  uint8_t newest;  // the row that was added last

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor(self.check), visitor(self.rows), visitor(self.newest);
  }
};
static_assert(sizeof(Bucket) == 64);

// Owns the buckets. A row is valid until a find_or_add(), which may give it to another context. Not thread safe;
// several threads may call find() while nobody adds.
class Table {
 public:
  explicit Table(size_t buckets) : buckets_(buckets) {}

  struct Key {
    size_t bucket = 0;
    uint16_t check = 0;
  };
  Key key(uint64_t hash) const {
    return {static_cast<size_t>(((hash >> 32) * buckets_.size()) >> 32),
            static_cast<uint16_t>(std::max<uint64_t>(hash & 0xffff, 1))};
  }
  void prefetch(const Key& key) const { __builtin_prefetch(&buckets_[key.bucket]); }

  // Returns the row of a context, or null.
  const Row* find(const Key& key) const {
    const Bucket& bucket = buckets_[key.bucket];
    for (size_t i = 0; i < bucket.check.size(); ++i)
      if (bucket.check[i] == key.check) return &bucket.rows[i];
    return nullptr;
  }
  // Returns the row of a context. A new one takes a free row, or else that of the context which has seen least; but not
  // the one that was added last.
  Row& find_or_add(const Key& key) {
    Bucket& bucket = buckets_[key.bucket];
    for (size_t i = 0; i < bucket.check.size(); ++i)
      if (bucket.check[i] == key.check) return bucket.rows[i];
    size_t taken = 0;
    int least = 512;
    for (size_t i = 0; i < bucket.check.size(); ++i) {
      // The states of a history are numbered in about the order of how much they have seen.
      const int seen = bucket.check[i] == 0 ? -1 : i == bucket.newest ? 256 : bucket.rows[i][0];
      if (seen < least) least = seen, taken = i;
    }
    bucket.check[taken] = key.check;
    bucket.rows[taken] = {};
    bucket.newest = static_cast<uint8_t>(taken);
    return bucket.rows[taken];
  }

  size_t bytes() const { return buckets_.size() * sizeof(Bucket); }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor(self.buckets_);
  }

 private:
  Zeroed<Bucket> buckets_;
};

}  // namespace statera::counts
