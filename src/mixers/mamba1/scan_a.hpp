// The A of inference: -exp(A_log) of a parameter, and how the fast kernel wants it laid out for one group of channels,
// both made once instead of at every step.
#pragma once
#include <array>
#include <atomic>
#include <memory>

#include "core/exec.hpp"
#include "kernels/packed.hpp"
#include "statera/tensor.hpp"

namespace statera {

// Borrows A_log [D, d_state] from whoever owns the parameter, which raises `version` when it changes the value. Made at
// first use and again after a change. Thread safe as long as nobody changes the value meanwhile.
class ScanA {
 public:
  struct Made {
    View A;               // [D, d_state]
    const float* packed;  // SelectiveScanForward::packed_A
  };
  void bind(const View& A_log, const std::atomic<uint64_t>* version);
  Made operator()(Exec&) const;

 private:
  struct Tensors {
    Tensor A, packed;
  };
  View A_log_;
  const std::atomic<uint64_t>* version_ = nullptr;
  std::unique_ptr<std::array<Packed<Tensors>, 2>> caches_;  // for fast and reference kernels, whose exponentials differ
};

}  // namespace statera
