// A parameter with an observer: `bind` is told when its memory is allocated, and `weight` may store it in another form.
#pragma once
#include <algorithm>
#include <functional>

#include "statera/parameter.hpp"

namespace statera {

class Weight;

class BoundParameter : public Parameter {
 public:
  using Parameter::Parameter;

  std::function<void()> bind;  // called when value and grad have been allocated; connects a packed weight to them
  // stores the matrix in int8 or int4 instead (`value` is then empty); null: it stays in f32. Borrowed.
  Weight* weight = nullptr;
  WeightFormat fewest = WeightFormat::int4;  // the smallest format allowed: int8 where int4 would cost too much quality

 private:
  void allocated() override {
    if (bind) bind();
  }
};

// The Weight that may store `p` in int8 or int4; null: `p` stays in f32.
inline Weight* weight_of(const Parameter& p) {
  const auto* bound = dynamic_cast<const BoundParameter*>(&p);
  return bound ? bound->weight : nullptr;
}

// The format of `p` in a model whose weights are stored in `weights`.
inline WeightFormat format_for(const Parameter& p, WeightFormat weights) {
  return weight_of(p) ? std::min(weights, static_cast<const BoundParameter&>(p).fewest) : WeightFormat::f32;
}

}  // namespace statera
