// The last bytes that were read, in a ring of 2^n bytes.
#pragma once
#include <cstdint>

#include "counts/table.hpp"

namespace statera::counts {

// Owns the ring: older bytes are gone (holds()). Not thread safe; several threads may read while nobody adds.
class Text {
 public:
  explicit Text(size_t ring) : bytes_(ring) {}  // a power of two
  void add(uint8_t byte) { bytes_[static_cast<size_t>(size_++ & (bytes_.size() - 1))] = byte; }

  uint64_t size() const { return size_; }
  uint8_t operator[](uint64_t position) const { return bytes_[static_cast<size_t>(position & (bytes_.size() - 1))]; }
  // The byte so far before the end; 0 before the beginning.
  uint8_t back(uint64_t distance) const { return distance > size_ ? 0 : (*this)[size_ - distance]; }
  // Whether a position is still in the ring, with room for what will be added soon.
  bool holds(uint64_t position) const { return position < size_ && size_ - position < bytes_.size() - 1024; }

  size_t bytes() const { return bytes_.size(); }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor(self.bytes_), visitor(self.size_);
  }

 private:
  Zeroed<uint8_t> bytes_;
  uint64_t size_ = 0;
};

}  // namespace statera::counts
