#include "mixers/mamba1/scan_a.hpp"

#include "ops/elementwise/elementwise.hpp"
#include "ops/kernels.hpp"
#include "ops/selective_scan/selective_scan.hpp"

namespace statera {

namespace {
// Empty where the kernels read A itself.
Tensor pack(Exec& exec, const View& A) {
  return dispatch(A.dtype, [&](auto zero) {
    using T = decltype(zero);
    SelectiveScanForward<T> a{};
    a.A = A.as<T>();
    a.channels = A.rows(), a.d_state = A.cols(), a.n_groups = 1;
    const auto& kernels = pick<T>(exec, selective_scan_ref_f64, selective_scan_ref_f32, selective_scan_cpu);
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
  caches_ = std::make_unique<std::array<Cache, 2>>();
}

ScanA::Made ScanA::operator()(Exec& exec) const {
  Cache& cache = (*caches_)[exec.kernels == KernelChoice::fast ? 0 : 1];
  const uint64_t wanted = 1 + version_->load(std::memory_order_acquire);
  if (cache.version.load(std::memory_order_acquire) != wanted) {
    const std::lock_guard lock(cache.mutex);
    if (cache.version.load(std::memory_order_relaxed) != wanted) {
      if (cache.A.empty()) cache.A = Tensor(A_log_.dtype, A_log_.shape);
      neg_exp(exec, A_log_, cache.A);
      cache.packed = pack(exec, cache.A);
      cache.version.store(wanted, std::memory_order_release);
    }
  }
  return {cache.A, cache.packed.empty() ? nullptr : cache.packed.view().as<float>()};
}

}  // namespace statera
