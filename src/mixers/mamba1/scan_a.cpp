#include "mixers/mamba1/scan_a.hpp"

#include "ops/elementwise/elementwise.hpp"
#include "ops/selective_scan/selective_scan.hpp"

namespace statera {

namespace {
// A in the layout of the kernels; empty where they read A itself.
Tensor pack(Exec& exec, const View& A) {
  return selective_scan_kernels(exec, A.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    SelectiveScanForward<T> a{};
    a.A = A.as<T>();
    a.channels = A.rows(), a.d_state = A.cols(), a.n_groups = 1;
    const int64_t floats = kernels.packed(a);
    if (floats == 0) return Tensor();
    Tensor to(DType::f32, {floats});
    kernels.pack(a, to.view().template as<float>(), exec);
    return to;
  });
}
}  // namespace

void ScanA::bind(const View& A_log, const std::atomic<uint64_t>* version) {
  A_log_ = A_log;
  version_ = version;
  caches_ = std::make_unique<std::array<Packed<Tensors>, kernel_choices>>();
}

ScanA::Made ScanA::operator()(Exec& exec) const {
  const Tensors& made = (*caches_)[static_cast<size_t>(exec.kernels)].get(version_, [&](Tensors& to) {
    if (to.A.empty()) to.A = Tensor(A_log_.dtype, A_log_.shape);
    neg_exp(exec, A_log_, to.A);
    to.packed = pack(exec, to.A);
  });
  return {made.A, made.packed.empty() ? nullptr : made.packed.view().as<float>()};
}

}  // namespace statera
