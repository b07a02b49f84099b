// A parameter that others look at: they are told where its memory is, and may keep it in another form.
#pragma once
#include <algorithm>
#include <functional>

#include "statera/parameter.hpp"

namespace statera {

class Weight;

class BoundParameter : public Parameter {
 public:
  using Parameter::Parameter;

  std::function<void()> bind;  // called after value and grad exist: a packed weight is bound to them here
  Weight* weight = nullptr;  // what may keep the matrix in 8 or 4 bits instead (value is empty then); null: nothing may
  WeightFormat fewest = WeightFormat::int4;  // bits that it may be kept in: int8 where int4 would cost too much

 private:
  void allocated() override {
    if (bind) bind();
  }
};

// What may keep it in 8 or 4 bits; null: nothing may.
inline Weight* weight_of(const Parameter& p) {
  const auto* bound = dynamic_cast<const BoundParameter*>(&p);
  return bound ? bound->weight : nullptr;
}

// How a model whose weights are kept in `weights` keeps this one.
inline WeightFormat format_for(const Parameter& p, WeightFormat weights) {
  return weight_of(p) ? std::min(weights, static_cast<const BoundParameter&>(p).fewest) : WeightFormat::f32;
}

}  // namespace statera
