// What is made once of A_log is what every call would make of it, whatever the kernels, and follows a change.
#include "mixers/mamba1/scan_a.hpp"

#include <gtest/gtest.h>

#include "core/arena.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/selective_scan/selective_scan.hpp"
#include "support/op_run.hpp"

namespace statera::test {
namespace {

constexpr int64_t channels = 300, d_state = 5, length = 3;

Tensor random_tensor(DType dtype, const char* name, const Shape& shape) {
  std::vector<double> v(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = Random(1, name).uniform(i) - 0.5;
  return to_tensor(dtype, shape, v);
}

// y and the state; with the A of `made`, or of this call.
std::vector<double> scan(const Device& device, const Tensor& A_log, const ScanA* made) {
  const DType dtype = A_log.dtype();
  const Tensor u = random_tensor(dtype, "u", {length, channels}),
               delta = random_tensor(dtype, "delta", {length, channels});
  const Tensor B = random_tensor(dtype, "B", {length, d_state}), C = random_tensor(dtype, "C", {length, d_state});
  const Tensor y(dtype, {length, channels}), own(dtype, A_log.shape()), state(dtype, A_log.shape());
  Arena scratch;
  Exec exec{pool_of(device), scratch, device.kernels()};
  ScanA::Made A{own, nullptr};
  if (made)
    A = (*made)(exec);
  else
    neg_exp(exec, A_log, own);
  const std::vector<int32_t> offsets{0, length};
  const std::vector<int64_t> start{0};
  void* pointer = state.view().data;
  selective_scan(exec, {.u = u, .delta = delta, .A = A.A, .B = B, .C = C, .D = {}, .z = {}, .delta_bias = {}},
                 {offsets, start}, &pointer, y, A.packed);
  std::vector<double> all = to_doubles(y), last = to_doubles(state);
  all.insert(all.end(), last.begin(), last.end());
  return all;
}

TEST(ScanA, IsWhatEveryCallWouldMakeOfIt) {
  const Device fast = Device::cpu({.threads = 2}),
               reference = Device::cpu({.threads = 1, .kernels = KernelChoice::reference});
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor A_log = random_tensor(dtype, "A_log", {channels, d_state});
    std::atomic<uint64_t> version{0};
    ScanA made;
    made.bind(A_log, &version);
    for (int round = 0; round < 3; ++round) {
      for (const Device& device : {fast, reference})
        EXPECT_EQ(scan(device, A_log, &made), scan(device, A_log, nullptr)) << name_of(dtype) << " round " << round;
      if (dtype == DType::f32)
        A_log.as<float>()[7] += 0.25f;
      else
        A_log.as<double>()[7] += 0.25;
      version.fetch_add(1);
    }
  }
}

TEST(ScanA, OnlyFastKernelsWantAnotherOrder) {
  const Tensor A_log = random_tensor(DType::f32, "A_log", {channels, d_state});
  std::atomic<uint64_t> version{0};
  ScanA made;
  made.bind(A_log, &version);
  for (const KernelChoice kernels : {KernelChoice::fast, KernelChoice::reference}) {
    const Device device = Device::cpu({.threads = 1, .kernels = kernels});
    Arena scratch;
    Exec exec{pool_of(device), scratch, device.kernels()};
    EXPECT_EQ(made(exec).packed != nullptr, kernels == KernelChoice::fast);
  }
}

}  // namespace
}  // namespace statera::test
