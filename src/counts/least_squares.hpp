// Linear prediction whose coefficients follow the data: recursive least squares with exponential forgetting (S. Haykin,
// "Adaptive Filter Theory", chapter on the RLS algorithm). Doubles, but only +, -, * and / in a fixed order, so the
// bits are the same on every machine.
#pragma once
#include <array>
#include <cstddef>
#include <span>

namespace statera::counts {

// A plain value. Not thread safe.
class LeastSquares {
 public:
  static constexpr size_t taps = 64;

  LeastSquares() { start_over(); }
  double predict(std::span<const double, taps> x) const;
  // error: what came, less predict(x)
  void learn(std::span<const double, taps> x, double error);

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor(self.coefficients_), visitor(self.inverse_);
  }

 private:
  void start_over();

  std::array<double, taps> coefficients_{};
  std::array<double, taps * taps> inverse_;  // about the inverse of sum of x x^T over the last samples; symmetric
};

}  // namespace statera::counts
