#include "counts/least_squares.hpp"

#include "core/plain_math.hpp"  // what must hold of the compiler's floating point

// Each vector lane is one element. It is computed by the same operations in the same order, however many lanes there
// are, so that all instruction sets give the same bits. That needs -ffp-contract=off. Files of fast kernels (*_cpu.cpp)
// are compiled without that option, so this file is not called so.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "counts/least_squares.cpp"
#include "core/simd.hpp"

HWY_BEFORE_NAMESPACE();
namespace statera::counts::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
constexpr size_t taps = LeastSquares::taps;
using D = hn::CappedTag<double, 8>;

// gain = inverse x
void Gain(const double* HWY_RESTRICT inverse, const double* HWY_RESTRICT x, double* HWY_RESTRICT gain) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < taps; i += 4 * lanes) {
    auto a = hn::Zero(d), b = a, c = a, e = a;
    for (size_t j = 0; j < taps; ++j) {
      const double* row = inverse + j * taps + i;
      const auto xj = hn::Set(d, x[j]);
      a = hn::Add(a, hn::Mul(hn::LoadU(d, row), xj));
      if (i + lanes < taps) b = hn::Add(b, hn::Mul(hn::LoadU(d, row + lanes), xj));
      if (i + 2 * lanes < taps) c = hn::Add(c, hn::Mul(hn::LoadU(d, row + 2 * lanes), xj));
      if (i + 3 * lanes < taps) e = hn::Add(e, hn::Mul(hn::LoadU(d, row + 3 * lanes), xj));
    }
    hn::StoreU(a, d, gain + i);
    if (i + lanes < taps) hn::StoreU(b, d, gain + i + lanes);
    if (i + 2 * lanes < taps) hn::StoreU(c, d, gain + i + 2 * lanes);
    if (i + 3 * lanes < taps) hn::StoreU(e, d, gain + i + 3 * lanes);
  }
}

// inverse = (inverse - gain gain^T share) grown
void Update(double* HWY_RESTRICT inverse, const double* HWY_RESTRICT gain, double share, double grown) {
  const D d;
  const auto by = hn::Set(d, share), all = hn::Set(d, grown);
  for (size_t j = 0; j < taps; ++j) {
    double* row = inverse + j * taps;
    const auto gj = hn::Set(d, gain[j]);
    for (size_t i = 0; i < taps; i += hn::Lanes(d)) {
      const auto taken = hn::Mul(hn::Mul(hn::LoadU(d, gain + i), gj), by);
      hn::StoreU(hn::Mul(hn::Sub(hn::LoadU(d, row + i), taken), all), d, row + i);
    }
  }
}

}  // namespace
}  // namespace statera::counts::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace statera::counts {

namespace {
HWY_EXPORT(Gain);
HWY_EXPORT(Update);

constexpr double kept = 0.998;       // of the weight of a sample, when the next one comes: about 500 samples count
constexpr double first_inverse = 1;  // samples are in units of one step of eight bits
// What does not occur for long grows by 1 / kept each time. A constant or a pure tone gets here every few thousand
// samples, and starting over costs little.
constexpr double most_inverse = 1000;
constexpr double least_energy = 1e-9;
}  // namespace

void LeastSquares::start_over() {
  inverse_.fill(0);
  for (size_t i = 0; i < taps; ++i) inverse_[i * taps + i] = first_inverse;
}

double LeastSquares::predict(std::span<const double, taps> x) const {
  double sum = 0;
  for (size_t i = 0; i < taps; ++i) sum += coefficients_[i] * x[i];
  return sum;
}

void LeastSquares::learn(std::span<const double, taps> x, double error) {
  std::array<double, taps> gain;
  HWY_DYNAMIC_DISPATCH(Gain)(inverse_.data(), x.data(), gain.data());
  double energy = 0, most = 0, least = 1;
  for (size_t i = 0; i < taps; ++i) energy += gain[i] * x[i];
  if (!(energy >= least_energy)) {  // silence says nothing; below zero, rounding has spoiled the inverse
    if (!(energy > -least_energy)) start_over();
    return;
  }
  const double share = 1 / (kept + energy);
  for (size_t i = 0; i < taps; ++i) coefficients_[i] += gain[i] * share * error;
  HWY_DYNAMIC_DISPATCH(Update)(inverse_.data(), gain.data(), share, 1 / kept);
  for (size_t i = 0; i < taps; ++i) {
    const double own = inverse_[i * taps + i];
    most = own > most ? own : most, least = own < least ? own : least;
  }
  if (!(most <= most_inverse && least > 0)) start_over();
}

}  // namespace statera::counts
#endif
