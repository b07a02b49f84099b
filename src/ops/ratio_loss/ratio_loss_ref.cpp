// The loops of ratio_loss.md.
#include <algorithm>

#include "ops/ratio_loss/ratio_loss.hpp"

namespace statera {

namespace {
template <class T>
double share(const RatioLoss<T>& a) {
  return static_cast<double>(a.cuts) / static_cast<double>(std::max<int64_t>(1, a.rows));
}
template <class T>
double scale(const RatioLoss<T>& a) {
  return a.rows > 0 ? a.weight * a.positions / (a.positions - 1) : 0;
}

template <class T>
void forward(const RatioLoss<T>& a, Exec&) noexcept {
  double sum = 0;
  for (int64_t i = 0; i < a.rows; ++i) sum += static_cast<double>(a.p[i]);
  const double f = share(a), g = sum / static_cast<double>(std::max<int64_t>(1, a.rows));
  *a.loss = static_cast<T>(scale(a) * ((a.positions - 1) * f * g + (1 - f) * (1 - g)));
}

template <class T>
void backward(const RatioLoss<T>& a, Exec&) noexcept {
  const double f = share(a), slope = scale(a) * ((a.positions - 1) * f - (1 - f)) /
                                     static_cast<double>(std::max<int64_t>(1, a.rows)) * static_cast<double>(*a.dloss);
  std::fill_n(a.dp, a.rows, static_cast<T>(slope));
}
}  // namespace

const RatioLossKernels<double> ratio_loss_ref_f64{.forward = forward<double>, .backward = backward<double>};
const RatioLossKernels<float> ratio_loss_ref_f32{.forward = forward<float>, .backward = backward<float>};

}  // namespace statera
