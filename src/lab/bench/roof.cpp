#include "lab/bench/roof.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/exec.hpp"
#include "core/machine.hpp"
#include "core/roof.hpp"
#include "core/thread_pool.hpp"
#include "lab/timing.hpp"

namespace statera {

namespace {
constexpr int trials = 5;
constexpr double most_bytes = 1 << 30, bytes_a_trial = 128 << 20;

// The best rate of a few trials. `work` runs on every thread and returns how much that thread has done.
double best_rate(const Device& device, double (*work)(int64_t)) {
  double best = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> done(static_cast<size_t>(device.threads()));
    const double begin = clock_seconds();
    pool_of(device).run(device.threads(),
                        [&](int64_t task, int) { done[static_cast<size_t>(task)] = work(3'000'000); });
    double total = 0;
    for (double d : done) total += d;
    best = std::max(best, total / (clock_seconds() - begin));
  }
  return best;
}
}  // namespace

float* RoofMeter::buffer(int64_t floats) {
  if (memory_.empty() || memory_.view().elements() < floats) {
    memory_ = Tensor();  // freed first, so that there are never two buffers
    memory_ = Tensor(DType::f32, {floats});
  }
  return memory_.as<float>();
}

double RoofMeter::fma_flops() { return best_rate(device_, run_fma_chains); }
double RoofMeter::bf16_dot_flops() { return best_rate(device_, run_bf16_dot_chains); }

double RoofMeter::read_bytes(double bytes) {
  const double wanted = std::clamp(bytes, 64.0 * device_.threads(), most_bytes);
  // One pass over a large buffer is divided dynamically among the threads. In many passes over a small one each thread
  // keeps its part.
  const auto repeats = static_cast<int64_t>(std::max(1.0, bytes_a_trial / wanted));
  const int64_t parts = repeats > 1 ? device_.threads() : 8 * device_.threads(),
                part = static_cast<int64_t>(wanted) / parts / 64 * 16;  // in floats, a whole number of cache lines
  const float* x = buffer(part * parts);
  std::vector<float> sums(static_cast<size_t>(parts));
  double best = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const double begin = clock_seconds();
    pool_of(device_).run(parts, [&](int64_t task, int) {
      float sum = 0;
      for (int64_t i = 0; i < repeats; ++i) sum += sum_of(x + task * part, part);
      sums[static_cast<size_t>(task)] = sum;
    });
    best = std::max(best, 4.0 * static_cast<double>(part * parts * repeats) / (clock_seconds() - begin));
  }
  return best;
}

double RoofMeter::copy_bytes(double bytes) {
  const int64_t parts = 8 * device_.threads(),
                part = static_cast<int64_t>(std::min(bytes, most_bytes / 2)) / parts / 64 * 16;
  float* x = buffer(2 * part * parts);
  double best = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const double begin = clock_seconds();
    pool_of(device_).run(parts, [&](int64_t task, int) {
      std::memcpy(x + (parts + task) * part, x + task * part, static_cast<size_t>(4 * part));
    });
    best = std::max(best, 8.0 * static_cast<double>(part * parts) / (clock_seconds() - begin));
  }
  return best;
}

Roof RoofMeter::measure() {
  const Machine machine = this_machine();
  const double threads = device_.threads();
  Roof roof{.threads = device_.threads()};
  roof.fp32_fma_gflops = fma_flops() / 1e9;
  roof.bf16_dot_gflops = bf16_dot_flops() / 1e9;
  if (machine.l1_bytes > 0) roof.l1_read_gb_per_s = read_bytes(machine.l1_bytes / 2 * threads) / 1e9;
  if (machine.l2_bytes > 0) roof.l2_read_gb_per_s = read_bytes(machine.l2_bytes / 2 * threads) / 1e9;
  if (machine.l3_bytes / 2 > machine.l2_bytes * threads) roof.l3_read_gb_per_s = read_bytes(machine.l3_bytes / 2) / 1e9;
  roof.memory_read_gb_per_s = read_bytes(512 << 20) / 1e9;
  roof.memory_copy_gb_per_s = copy_bytes(256 << 20) / 1e9;
  return roof;
}

}  // namespace statera
