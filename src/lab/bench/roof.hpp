// The roof of this machine, from microbenchmarks with the number of threads that is used. Shares in other results refer
// to it.
#pragma once
#include <cstdint>

#include "statera/fields.hpp"
#include "statera/device.hpp"
#include "statera/tensor.hpp"

namespace statera {

struct Roof {
  int64_t threads = 0;
  double fp32_fma_gflops = 0, bf16_dot_gflops = 0;
  double l1_read_gb_per_s = 0, l2_read_gb_per_s = 0, l3_read_gb_per_s = 0, memory_read_gb_per_s = 0,
         memory_copy_gb_per_s = 0;

  void visit(FieldVisitor& v) {
    v.field("threads", threads, "number of threads");
    v.field("fp32_fma_gflops", fp32_fma_gflops, "peak of independent fp32 fused multiply-adds in registers");
    v.field("bf16_dot_gflops", bf16_dot_gflops,
            "peak of dot products of bf16 into fp32; 0: the instruction set has none");
    v.field("l1_read_gb_per_s", l1_read_gb_per_s,
            "reads of half of each core's first-level cache; 0: its size is unknown");
    v.field("l2_read_gb_per_s", l2_read_gb_per_s,
            "reads of half of each core's second-level cache; 0: its size is unknown");
    v.field("l3_read_gb_per_s", l3_read_gb_per_s,
            "reads of half of the third-level cache; 0: its size is unknown, or each thread's part would fit into the "
            "second level");
    v.field("memory_read_gb_per_s", memory_read_gb_per_s, "reads of a buffer of 512 MiB");
    v.field("memory_copy_gb_per_s", memory_copy_gb_per_s,
            "copies within 256 MiB; bytes read and bytes written both count");
  }
};

// Measures parts of the roof. Each value is the best of a few trials of a few hundredths of a second. Owns the buffer
// that it reads. Not thread safe.
class RoofMeter {
 public:
  explicit RoofMeter(const Device& device) : device_(device) {}
  double fma_flops();       // per second
  double bf16_dot_flops();  // per second; 0: the CPU has no such instruction
  // Bytes per second that all threads together read from a buffer of `bytes` (at most 1 GiB). Each reads a part of its
  // own, again and again.
  double read_bytes(double bytes);
  double copy_bytes(double bytes);  // the same for copying within the buffer; bytes read and bytes written both count
  Roof measure();
  const Device& device() const { return device_; }

 private:
  float* buffer(int64_t floats);

  Device device_;
  Tensor memory_;
};

}  // namespace statera
