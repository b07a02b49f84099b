// cross_entropy: negative log likelihood in nats. See cross_entropy.md. The training face is in statera/loss.hpp.
#pragma once
#include <span>

#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/loss.hpp"
#include "statera/tape.hpp"

namespace statera {

template <class T>
struct CrossEntropyForward {
  const T* logits;         // [N, V], rows `stride` apart
  const int32_t* targets;  // [N]
  T *nll, *log_sum;        // [N] the cost of each position in nats (0 where not counted); log sum exp of its logits
  int64_t rows, vocab, stride;
};

template <class T>
struct CrossEntropyBackward {
  const T *logits, *log_sum;
  const int32_t* targets;
  T* dlogits;  // [N, V], rows dstride apart
  T scale;     // the gradient of the loss, divided by the denominator
  int64_t rows, vocab, stride, dstride;
};

template <class T>
struct CrossEntropyKernels {
  Kernel<void(const CrossEntropyForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const CrossEntropyBackward<T>&, Exec&) noexcept> backward;
};
extern const CrossEntropyKernels<double> cross_entropy_ref_f64;
extern const CrossEntropyKernels<float> cross_entropy_ref_f32, cross_entropy_cpu;
inline constexpr Kernels<CrossEntropyKernels> cross_entropy_kernels{
    .op = "cross_entropy", .f64 = &cross_entropy_ref_f64, .f32 = &cross_entropy_ref_f32, .f32_cpu = &cross_entropy_cpu};

// logits [N, V], targets [N] in [0, V) or -1: not counted. Writes the cost of each position into `nll` [N], which may
// be empty. Returns the sum of the costs, in nats. Throws ErrorCode::shape.
double cross_entropy(Exec&, const View& logits, std::span<const int32_t> targets, const View& nll);

std::vector<OpCase> cross_entropy_cases();

}  // namespace statera
