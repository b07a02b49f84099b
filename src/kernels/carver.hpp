// Cuts one allocation of floats into the parts of a struct. The constructor of the struct takes its parts from a
// Carver. With a null base the Carver only counts how much is needed; with the allocated memory it hands out pointers.
//
// It borrows the memory, which must have room for all that the counting Carver found. Not thread safe: each task has
// memory and a Carver of its own.
#pragma once
#include <cstdint>

namespace statera {

class Carver {
 public:
  static constexpr int64_t pad = 16;  // floats: parts are whole AVX-512 vectors long

  explicit Carver(float* base) : base_(base) {}
  static constexpr int64_t padded(int64_t count) { return (count + pad - 1) / pad * pad; }
  // The next `count` floats, not initialised; null while counting.
  float* take(int64_t count) {
    float* part = base_ ? base_ + used_ : nullptr;
    used_ += padded(count);
    return part;
  }
  // Floats taken so far, with padding.
  int64_t used() const { return used_; }

 private:
  float* base_;
  int64_t used_ = 0;
};

}  // namespace statera
