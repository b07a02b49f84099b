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

// Borrows value and gradient from the owner of the parameter, who raises `version` after changing the value (null: it
// never changes). Owns the panels for inference, which are packed at first use and again after a change, into the same
// memory. Instead, it can own the matrix in 8 or 4 bits, for inference only; then it borrows nothing.
//
// Thread safe as long as nobody changes the value during a product. It must not be moved after its first product.
class Weight : public QuantisedStore {
 public:
  Weight() = default;
  // value [out, in], f32 or f64; grad the same, or empty: not trained. Throws ErrorCode::shape or unsupported.
  void bind(const View& value, const View& grad, const std::atomic<uint64_t>* version);

  void take(ThreadPool&, QuantisedTensors matrix, int64_t in) override;  // keeps a copy in panels
  QuantisedMatrix saved(std::vector<Tensor>& made) const override;
  WeightFormat format() const { return format_; }
  double bytes() const;               // what a product reads: the size of the matrix as it is stored
  QuantisedPanels quantised() const;  // of W^T [in, out]; int8 and int4 only

  int64_t out() const { return shape_[0]; }
  int64_t in() const { return shape_[1]; }
  const Shape& shape() const { return shape_; }  // [out, in]
  DType dtype() const { return dtype_; }         // of the activations it is multiplied with
  const View& value() const { return value_; }   // [out, in]; empty for a matrix in 8 or 4 bits
  const View& grad() const { return grad_; }     // [out, in], or empty: not trained

  // The panels of W^T [in, out], for y = x W^T: floats, or pairs of bf16 with Precision::bf16. f32 only. Packs them if
  // necessary. Valid until the first call after a change.
  Panels panels(Exec&) const;

 private:
  Shape shape_;
  DType dtype_ = DType::f32;
  WeightFormat format_ = WeightFormat::f32;
  Tensor quantised_;  // the panels in 8 or 4 bits, as bytes
  View value_, grad_;
  const std::atomic<uint64_t>* version_ = nullptr;
  std::unique_ptr<Packed<Tensor>[]> packed_;  // panels, one for each Precision
};

}  // namespace statera
