// Cuts one allocation of scratch memory into the parts of a struct. The same constructor counts what it needs (from a
// null base) and fills it.
#pragma once
#include <cstdint>

namespace statera {

class Carver {
 public:
  static constexpr int64_t pad = 16;  // floats: each part begins and ends on a vector

  explicit Carver(float* base) : base_(base) {}
  static constexpr int64_t padded(int64_t count) { return (count + pad - 1) / pad * pad; }
  float* take(int64_t count) {
    float* part = base_ ? base_ + used_ : nullptr;
    used_ += padded(count);
    return part;
  }
  int64_t used() const { return used_; }

 private:
  float* base_;
  int64_t used_ = 0;
};

}  // namespace statera
