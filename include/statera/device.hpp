// Where the engine computes: a kind, its threads and the kernels it may use. A handle: copies share one pool of threads.
#pragma once
#include <memory>
#include <string>

namespace statera {

class ThreadPool;

// `reference` runs the plain loops of *_ref.cpp for every dtype; `fast` runs the best kernel for float. Double is always reference.
enum class KernelChoice { fast, reference };

struct CpuOptions {
  int threads = 0;  // 0: one a core that this process may use
  KernelChoice kernels = KernelChoice::fast;
};

class Device {
 public:
  static Device cpu(CpuOptions options = {});
  static Device best() { return cpu(); }
  ThreadPool& pool() const { return *pool_; }
  KernelChoice kernels() const { return kernels_; }
  int threads() const;
  std::string description() const;  // "cpu, 2 threads, AVX3"

 private:
  std::shared_ptr<ThreadPool> pool_;
  KernelChoice kernels_ = KernelChoice::fast;
};

// The instruction set that fast kernels run on: "AVX3", "AVX2", "SSE2", "NEON" ...
std::string instruction_set();
// Forbids everything above `name` ("AVX2"); for tests and measurements, before the first kernel runs. The environment variable
// STATERA_ISA does the same. Throws device for an unknown name or one that this machine lacks.
void limit_instruction_set(const std::string& name);

}  // namespace statera
