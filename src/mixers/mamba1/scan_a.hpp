// A = -exp(A_log) for inference, as it is and in the layout in which the fast kernel reads it (for one group of
// channels). Both are computed once instead of at every step.
#pragma once
#include <array>
#include <atomic>
#include <memory>

#include "core/exec.hpp"
#include "kernels/packed.hpp"
#include "statera/tensor.hpp"

namespace statera {

// Borrows A_log [D, d_state] from the owner of the parameter, who must raise `version` whenever the value changes. Owns
// A and its packed copy, which it computes at first use and again after a change. Thread safe as long as nobody changes
// the value meanwhile.
class ScanA {
 public:
  struct Made {
    View A;               // [D, d_state]
    const float* packed;  // for SelectiveScanForward::packed_A; null where the kernels read A itself
  };
  // To be called before the first use, and again when the value has other memory. Not thread safe.
  void bind(const View& A_log, const std::atomic<uint64_t>* version);
  // For the kernels that `exec` chooses. Valid until the first call after a change.
  Made operator()(Exec&) const;

 private:
  struct Tensors {
    Tensor A, packed;
  };
  View A_log_;
  const std::atomic<uint64_t>* version_ = nullptr;
  // For the fast and the reference kernels, whose exponentials differ.
  std::unique_ptr<std::array<Packed<Tensors>, kernel_choices>> caches_;
};

}  // namespace statera
