// The kernels of AdamW. Each call handles a piece of one parameter, in one task.
#pragma once
#include <cstdint>

#include "kernels/kernels.hpp"

namespace statera {

template <class T>
struct AdamWUpdate {
  T *weight, *grad, *mean, *square;  // [count] each; grad is zeroed
  int64_t count;
  T clip;  // the gradient is multiplied by it
  T beta1, beta2;
  T keep_mean,
      keep_square;  // what is left of the earlier means: beta1 and beta2, or their powers after steps without it
  T rate, root;     // rate: lr / the mean's bias correction; root: 1 / sqrt of the square's bias correction
  T eps, keep;      // keep: 1 - lr * weight_decay
};

template <class T>
struct AdamWKernels {
  Kernel<double(const T* grad, int64_t count) noexcept> sum_of_squares;  // summed in double, in a fixed order
  Kernel<void(const AdamWUpdate<T>&) noexcept> update;
  Kernel<int64_t(int32_t* touched_at, int64_t step) noexcept> touch;  // sets it to `step`; how many steps have passed
};
int64_t touch_row(int32_t* touched_at, int64_t step) noexcept;  // the same for all of them
extern const AdamWKernels<double> adamw_ref_f64;
extern const AdamWKernels<float> adamw_ref_f32, adamw_cpu;
inline constexpr Kernels<AdamWKernels> adamw_kernels{
    .op = "adamw", .f64 = &adamw_ref_f64, .f32 = &adamw_ref_f32, .f32_cpu = &adamw_cpu};

}  // namespace statera
