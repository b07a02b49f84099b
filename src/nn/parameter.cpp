#include "statera/parameter.hpp"

#include "statera/random.hpp"
#include "kernels/view_kernels.hpp"

namespace statera {

Init init_constant(double value) {
  return [value](const Random&, uint64_t) { return value; };
}
Init init_uniform(double bound) {
  return [bound](const Random& random, uint64_t i) { return bound * (2 * random.uniform(i) - 1); };
}
Init init_normal(double standard_deviation) {
  return [standard_deviation](const Random& random, uint64_t i) { return standard_deviation * random.normal(i); };
}

void Parameter::allocate(DType dtype, bool with_grad) {
  value = Tensor(dtype, shape);
  grad = with_grad ? Tensor(dtype, shape) : Tensor();
  changed();
  allocated();
}

void Parameter::initialise(uint64_t seed) {
  const Random random(seed, name);
  // of floats, so that the weights are the same in every dtype
  set_each(value, [&](int64_t i) { return static_cast<float>(init(random, static_cast<uint64_t>(i))); });
  changed();
}

}  // namespace statera
