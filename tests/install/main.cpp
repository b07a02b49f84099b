#include <statera/tensor.hpp>

#include <cstdio>

int main() {
  const statera::Tensor t(statera::DType::f32, {2, 3});
  std::printf("%s\n", t.shape().str().c_str());
}
