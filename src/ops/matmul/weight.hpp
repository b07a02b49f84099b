// Weight: the matrix [out, in] of a linear map, and the panels that the fast product reads instead of it.
#pragma once
#include <atomic>
#include <cstdint>
#include <iterator>
#include <memory>

#include "core/exec.hpp"
#include "kernels/packed.hpp"
#include "ops/matmul/panels.hpp"
#include "ops/matmul/quantised.hpp"
#include "statera/tensor.hpp"

namespace statera {

// Borrows value and gradient from whoever owns the parameter, which raises `version` when it changes the value (null:
// it never does). Panels, for inference, are packed at first use and again after a change, into the same memory. For
// inference it can own the matrix in 8 or 4 bits instead, and borrows nothing then. Thread safe as long as nobody
// changes the value during a product. Moves only before its first product.
class Weight {
 public:
  Weight() = default;
  void bind(const View& value, const View& grad, const std::atomic<uint64_t>* version);  // throws shape, unsupported

  // Keeps a finite matrix f32 [out, in] in int8 or int4. Throws shape, unsupported.
  void quantise(ThreadPool&, const View& matrix, WeightFormat format);
  void set(ThreadPool&, const QuantisedMatrix& matrix, int64_t in);  // keeps a copy. Throws shape, unsupported
  WeightFormat format() const { return format_; }
  double bytes() const;               // that a product reads: of the matrix as it is kept
  QuantisedPanels quantised() const;  // of W^T [in, out]; int8 and int4 only

  int64_t out() const { return shape_[0]; }
  int64_t in() const { return shape_[1]; }
  const Shape& shape() const { return shape_; }  // [out, in]
  DType dtype() const { return dtype_; }         // of the activations that it takes
  const View& value() const { return value_; }   // [out, in]; empty: in 8 or 4 bits
  const View& grad() const { return grad_; }     // [out, in], or empty: not trained

  // of W^T [in, out], for y = x W^T; f32 only; of floats or of pairs of bf16, as the precision says
  Panels panels(Exec&) const;

 private:
  Shape shape_;
  DType dtype_ = DType::f32;
  WeightFormat format_ = WeightFormat::f32;
  Tensor quantised_;  // the panels, as bytes
  View value_, grad_;
  const std::atomic<uint64_t>* version_ = nullptr;
  std::unique_ptr<Packed<Tensor>[]> packed_;  // [precisions]
};

}  // namespace statera
