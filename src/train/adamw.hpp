// The kernels of AdamW: over a block of one parameter, by one task.
#pragma once
#include <cstdint>

#include "core/exec.hpp"

namespace statera {

template <class T>
struct AdamWUpdate {
  T *weight, *grad, *mean, *square;  // [count]; grad is zeroed
  int64_t count;
  T clip;  // factor of the gradient
  T beta1, beta2;
  T rate, root;  // lr over the bias correction of the mean; 1 / sqrt of that of the square
  T eps, keep;   // keep: 1 - lr * weight decay
};

template <class T>
struct AdamWKernels {
  const char* name;
  double (*sum_of_squares)(const T* grad, int64_t count) noexcept;  // in double, in a fixed order
  void (*update)(const AdamWUpdate<T>&) noexcept;
};
extern const AdamWKernels<double> adamw_ref_f64;
extern const AdamWKernels<float> adamw_ref_f32, adamw_cpu;

}  // namespace statera
