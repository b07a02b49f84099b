// Algorithm 2 of Loshchilov and Hutter (2019), step by step, in float or double.
#include <cmath>
#include <utility>

#include "train/adamw.hpp"

namespace statera {

namespace {
template <class T>
double sum_of_squares(const T* grad, int64_t count) noexcept {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(grad[i]) * static_cast<double>(grad[i]);
  return sum;
}

template <class T>
void update(const AdamWUpdate<T>& a) noexcept {
  for (int64_t i = 0; i < a.count; ++i) {
    const T g = a.clip * a.grad[i];
    a.mean[i] = a.keep_mean * a.mean[i] + (1 - a.beta1) * g;
    a.square[i] = a.keep_square * a.square[i] + (1 - a.beta2) * g * g;
    a.weight[i] = a.keep * a.weight[i] - a.rate * a.mean[i] / (std::sqrt(a.square[i]) * a.root + a.eps);
    a.grad[i] = 0;
  }
}
}  // namespace

int64_t touch_row(int32_t* touched_at, int64_t step) noexcept {
  return step - std::exchange(*touched_at, static_cast<int32_t>(step));
}

const AdamWKernels<double> adamw_ref_f64{
    .sum_of_squares = sum_of_squares<double>, .update = update<double>, .touch = touch_row};
const AdamWKernels<float> adamw_ref_f32{
    .sum_of_squares = sum_of_squares<float>, .update = update<float>, .touch = touch_row};

}  // namespace statera
