#include "statera/device.hpp"

#include "core/check.hpp"
#include "core/exec.hpp"
#include "core/isa.hpp"
#include "core/machine.hpp"
#include "core/thread_pool.hpp"

namespace statera {

const char* name_of(KernelChoice choice) {
  return choice == KernelChoice::fast ? "fast" : choice == KernelChoice::portable ? "portable" : "reference";
}

const char* name_of(Precision precision) { return precision == Precision::bf16 ? "bf16" : "fp32"; }

Precision precision_named(const std::string& name) {
  std::string known;
  for (const Precision p : precisions) {
    if (name == name_of(p)) return p;
    known += (known.empty() ? "" : ", ") + std::string(name_of(p));
  }
  fail(ErrorCode::config, "[device] unknown precision '", name, "'; known: ", known);
}

ThreadPool& pool_of(const Device& device) { return *device.pool_; }

Device Device::cpu(CpuOptions options) {
  apply_environment_isa();
  require(options.threads >= 0 && options.threads <= 1024, ErrorCode::device,
          "[device] expected 1 to 1024 threads (0: one per core), got ", options.threads);
  Device device;
  device.pool_ = std::make_shared<ThreadPool>(options.threads > 0 ? options.threads : usable_cores(),
                                              options.kernels == KernelChoice::fast);
  device.kernels_ = options.kernels;
  device.precision_ = options.precision;
  return device;
}

Device Device::with(Precision precision) const {
  Device device = *this;
  device.precision_ = precision;
  return device;
}

int Device::threads() const { return pool_->size(); }

std::string Device::description() const {
  const std::string kernels =
      kernels_ == KernelChoice::fast ? instruction_set() : std::string(name_of(kernels_)) + " kernels";
  return "cpu, " + std::to_string(threads()) + (threads() == 1 ? " thread, " : " threads, ") + kernels +
         (precision_ == Precision::bf16 ? ", bf16" : "");
}

}  // namespace statera
