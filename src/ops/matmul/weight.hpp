// Weight: the matrix [out, in] of a linear map, and the panels that the fast product reads instead of it.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/exec.hpp"
#include "statera/tensor.hpp"

namespace statera {

// A matrix B [k, n] cut into panels of 48 columns, each dense, row after row: three AVX-512 registers wide, the same for all
// instruction sets. The last panel is as wide as its columns, rounded up to 16, and ends in zeros.
struct Panels {
  static constexpr int64_t width = 48;
  const float* data = nullptr;
  int64_t n = 0, k = 0;

  int64_t count() const { return (n + width - 1) / width; }
  int64_t columns(int64_t p) const { return std::min(width, n - p * width); }
  int64_t stride(int64_t p) const { return (columns(p) + 15) / 16 * 16; }  // from row to row of panel p
  const float* panel(int64_t p) const { return data + p * width * k; }

  static int64_t elements(int64_t n, int64_t k) { return (n + 15) / 16 * 16 * k; }
  // Fills `memory` (elements(n, k) floats) with B, where B is `matrix`, or its transpose.
  static Panels pack(ThreadPool&, const View& matrix, bool transpose, float* memory) noexcept;
};

// Borrows value and gradient from whoever owns the parameter, which raises `version` when it changes the value (null: it never
// does). Panels are packed at first use and again after a change, into the same memory.
// Thread safe as long as nobody changes the value during a product. Moves only before its first product.
class Weight {
 public:
  Weight() = default;
  void bind(const View& value, const View& grad, const std::atomic<uint64_t>* version);  // throws shape, unsupported

  int64_t out() const { return value_.shape[0]; }
  int64_t in() const { return value_.shape[1]; }
  DType dtype() const { return value_.dtype; }
  const View& value() const { return value_; }  // [out, in]
  const View& grad() const { return grad_; }    // [out, in], or empty: not trained

  Panels forward_panels(Exec&) const;     // of W^T [in, out]: y = x W^T; f32 only
  Panels transposed_panels(Exec&) const;  // of W [out, in]: dx = dy W; f32 only

 private:
  struct Packed {
    std::mutex mutex;
    std::atomic<uint64_t> version{0};  // of the value that is packed, + 1; 0: nothing yet
    Tensor memory;
  };
  Panels packed(Packed&, bool transpose, Exec&) const;

  View value_, grad_;
  const std::atomic<uint64_t>* version_ = nullptr;
  std::unique_ptr<Packed> forward_, transposed_;
};

}  // namespace statera
