// What a test of a kernel on Views needs: threads, scratch memory, and tensors of random numbers.
#pragma once
#include "core/exec.hpp"
#include "statera/random.hpp"
#include "statera/tensor.hpp"

namespace statera::test {

struct Engine {
  explicit Engine(int threads, KernelChoice kernels = KernelChoice::fast, Precision precision = Precision::fp32)
      : device(Device::cpu({.threads = threads, .kernels = kernels, .precision = precision})) {}
  Device device;
  Arena scratch;
  Exec exec{pool_of(device), scratch, device.kernels(), device.precision()};
};

// Uniform in [-size, size), the same for a name.
inline Tensor random_tensor(const char* name, const Shape& shape, float size = 1) {
  const Random random(3, name);
  Tensor t(DType::f32, shape);
  for (int64_t i = 0; i < shape.elements(); ++i)
    t.as<float>()[i] = size * static_cast<float>(2 * random.uniform(static_cast<uint64_t>(i)) - 1);
  return t;
}

}  // namespace statera::test
