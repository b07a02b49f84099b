// ratio_loss: holds the cuts of a router to a wanted number of positions per segment. See ratio_loss.md. It sums one
// number per row, so one loop is reference and fast path.
#pragma once
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct RatioLossOptions {
  double positions = 6;  // n: wanted positions per segment, above 1
  double weight = 1;
};

template <class T>
struct RatioLoss {
  const T *p, *dloss;  // [rows]; [1], in backward
  T *loss, *dp;        // [1]; [rows]; each in its own pass
  int64_t rows, cuts;
  double positions, weight;
};

template <class T>
struct RatioLossKernels {
  Kernel<void(const RatioLoss<T>&, Exec&) noexcept> forward;
  Kernel<void(const RatioLoss<T>&, Exec&) noexcept> backward;
};
extern const RatioLossKernels<double> ratio_loss_ref_f64;
extern const RatioLossKernels<float> ratio_loss_ref_f32;
inline constexpr Kernels<RatioLossKernels> ratio_loss_kernels{
    .op = "ratio_loss", .f64 = &ratio_loss_ref_f64, .f32 = &ratio_loss_ref_f32, .f32_cpu = &ratio_loss_ref_f32};

// p [rows], of which `cuts` are cuts -> a scalar [1]. Throws ErrorCode::shape.
Var ratio_loss(Tape&, Var p, int64_t cuts, const RatioLossOptions&);

std::vector<OpCase> ratio_loss_cases();

}  // namespace statera
