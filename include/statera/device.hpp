// Where the engine computes: a kind, its threads and the kernels it may use. A handle: copies share one pool of
// threads.
#pragma once
#include <memory>
#include <string>

namespace statera {

class ThreadPool;

// `reference` runs the plain loops of *_ref.cpp for every dtype; `fast` runs the best kernel for float. Double is
// always reference.
enum class KernelChoice { fast, reference };

// Of the factors of matrix products with weights. bf16: both are rounded to bf16 (8 bits of significand), products are
// added up in fp32; weights, activations, states and gradients stay fp32. For training, where the CPU multiplies bf16
// faster. Double is never rounded.
enum class Precision { fp32, bf16 };
inline constexpr Precision precisions[] = {Precision::fp32, Precision::bf16};
const char* name_of(Precision);
Precision precision_named(const std::string& name);  // Throws config

struct CpuOptions {
  int threads = 0;  // 0: one a core that this process may use
  KernelChoice kernels = KernelChoice::fast;
  Precision precision = Precision::fp32;
};

class Device {
 public:
  static Device cpu(CpuOptions options = {});
  static Device best() { return cpu(); }
  ThreadPool& pool() const { return *pool_; }
  KernelChoice kernels() const { return kernels_; }
  Precision precision() const { return precision_; }
  Device with(Precision) const;  // the same threads and kernels
  int threads() const;
  std::string description() const;  // "cpu, 2 threads, AVX3"

 private:
  std::shared_ptr<ThreadPool> pool_;
  KernelChoice kernels_ = KernelChoice::fast;
  Precision precision_ = Precision::fp32;
};

// Whether fast kernels multiply bf16 by an instruction of the CPU (AVX512-BF16); if not they do it in fp32, slower than
// fp32 itself.
bool multiplies_bf16();
// The instruction set that fast kernels run on: "AVX3", "AVX2", "SSE2", "NEON" ...
std::string instruction_set();
// Forbids everything above `name` ("AVX2"); for tests and measurements, before the first kernel runs. The environment
// variable STATERA_ISA does the same. Throws device for an unknown name or one that this machine lacks.
void limit_instruction_set(const std::string& name);

}  // namespace statera
