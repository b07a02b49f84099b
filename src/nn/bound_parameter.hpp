// A parameter with an observer: `bind` is told when its memory is allocated, and `store` may hold it in another form.
// Both belong to the layer that uses the parameter, which must live as long. Thread safety: as Parameter.
#pragma once
#include <algorithm>
#include <functional>

#include "kernels/quantised_matrix.hpp"
#include "statera/parameter.hpp"

namespace statera {

class BoundParameter : public Parameter {
 public:
  using Parameter::Parameter;

  std::function<void()> bind;  // called when value and grad have been allocated; connects a packed weight to them
  // holds the matrix in int8 or int4 instead (`value` is then empty); null: it stays in f32. Borrowed.
  QuantisedStore* store = nullptr;
  WeightFormat fewest = WeightFormat::int4;  // the smallest format allowed: int8 where int4 would cost too much quality

 private:
  void allocated() override {
    if (bind) bind();
  }
};

// What may hold `p` in int8 or int4; null: `p` stays in f32.
inline QuantisedStore* store_of(const Parameter& p) {
  const auto* bound = dynamic_cast<const BoundParameter*>(&p);
  return bound ? bound->store : nullptr;
}

// The format of `p` in a model whose weights are stored in `weights`.
inline WeightFormat format_for(const Parameter& p, WeightFormat weights) {
  return store_of(p) ? std::min(weights, static_cast<const BoundParameter&>(p).fewest) : WeightFormat::f32;
}

// Bytes of `p`, as a file stores them, in a model whose weights are stored in `weights`, and whose other parameters in
// `dtype`. A double, since an impossible config may have more elements than an integer can count.
inline double stored_bytes(const Parameter& p, WeightFormat weights, DType dtype) {
  if (const WeightFormat format = format_for(p, weights); format != WeightFormat::f32)
    return quantised_bytes(format, p.shape);
  double bytes = static_cast<double>(size_of(dtype));
  for (int64_t dim : p.shape) bytes *= static_cast<double>(dim);
  return bytes;
}

}  // namespace statera
