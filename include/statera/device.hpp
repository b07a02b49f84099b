// Where the engine computes: the threads and the kernels. A Device is a handle; its copies share one thread pool, which
// lives as long as any of them. It is immutable and may be used from several threads: while the pool works for one of
// them, the others compute on their own.
#pragma once
#include <cstddef>
#include <memory>
#include <string>

namespace statera {

class ThreadPool;

// `fast` runs the best kernel for float that this CPU has. `reference` runs the plain loops of *_ref.cpp. `portable`
// has the bits of the reference, which are the same on every machine and with every instruction set and number of
// threads, and is faster where that is possible. Double always runs the reference.
enum class KernelChoice { fast, portable, reference };
inline constexpr size_t kernel_choices = 3;
const char* name_of(KernelChoice);

// The precision of the factors in products with weight matrices. With bf16 both factors are rounded to bf16 (8 bits of
// significand) and the products are summed in fp32; weights, activations, states and gradients stay fp32. It is for
// training on CPUs that multiply bf16 faster. Double is never rounded.
enum class Precision { fp32, bf16 };
inline constexpr Precision precisions[] = {Precision::fp32, Precision::bf16};
const char* name_of(Precision);
Precision precision_named(const std::string& name);  // Throws ErrorCode::config for an unknown name.

struct CpuOptions {
  int threads = 0;  // 0: one per core that this process may use
  KernelChoice kernels = KernelChoice::fast;
  Precision precision = Precision::fp32;
};

class Device {
 public:
  static Device cpu(CpuOptions options = {});  // throws ErrorCode::device for a number of threads not in 0 to 1024
  static Device best() { return cpu(); }
  KernelChoice kernels() const { return kernels_; }
  Precision precision() const { return precision_; }
  Device with(Precision) const;  // the same threads and kernels with another precision
  int threads() const;
  std::string description() const;  // "cpu, 2 threads, AVX3"

 private:
  friend ThreadPool& pool_of(const Device&);  // core/exec.hpp
  std::shared_ptr<ThreadPool> pool_;
  KernelChoice kernels_ = KernelChoice::fast;
  Precision precision_ = Precision::fp32;
};

// Whether the CPU has an instruction that multiplies bf16 (AVX512-BF16). Without it, fast kernels multiply the rounded
// factors in fp32, which is slower than fp32 itself.
bool multiplies_bf16();
// The instruction set of the fast kernels: "AVX3", "AVX2", "SSE2", "NEON", ...
std::string instruction_set();
// Forbids every instruction set better than `name` ("AVX2"), for tests and measurements. Call it before the first
// kernel runs. The environment variable STATERA_ISA does the same. Throws ErrorCode::device if the name is unknown or
// this machine lacks the instruction set.
void limit_instruction_set(const std::string& name);

}  // namespace statera
