#include "counts/samples.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/plain_math.hpp"

namespace statera::counts {

namespace {
constexpr std::array<double, Samples::scales> rates{0.125, 0.03125, 1.0 / 256};
constexpr double least_error = 1.0 / 512, most_error = 256;
constexpr double lowest = -128, highest = 127 + 255.0 / 256;  // samples, in units of the upper byte
constexpr double most_predicted = 1e6;                        // beyond, the coefficients are spoiled
constexpr double everywhere = 1e-5;  // a share of each step of a byte, however far it is from what is expected

double within(double x, double low, double high) { return x > low ? (x < high ? x : high) : low; }

// The logistic distribution function, between points of a table in straight lines.
class Below {
 public:
  Below() {
    for (size_t i = 0; i <= points; ++i) values_[i] = 1 / (1 + plain::exp(limit - static_cast<double>(i) / steps));
  }
  double operator()(double z) const {
    const double at = (within(z, -limit, limit) + limit) * steps;
    const auto i = std::min(static_cast<size_t>(at), points - 1);
    return values_[i] + (values_[i + 1] - values_[i]) * (at - static_cast<double>(i));
  }

 private:
  static constexpr double limit = 16, steps = 64;
  static constexpr size_t points = 2 * 16 * 64;
  std::array<double, points + 1> values_;
};
const Below& logistic_below() {
  static const Below below;
  return below;
}
}  // namespace

void Samples::advance(const Text& text, uint64_t stride) {
  if (stride != stride_) {
    *this = Samples();
    stride_ = static_cast<uint32_t>(stride);
  }
  const bool wide = stride % 2 == 0;
  lower_ = text.back(1);
  upper_ = wide && text.size() % 2 != 0;
  if (upper_) return;
  const double came = wide ? static_cast<int16_t>(text.back(1) << 8 | text.back(2)) / 256.0 : text.back(1) - 128.0;
  // A sample at the limit may have been cut off there: one that was expected beyond it teaches nothing.
  const double limit = wide ? highest : 127;
  const bool cut = (came == lowest && predicted_ < lowest) || (came == limit && predicted_ > limit);
  channels_[next_].learn(last_, cut ? 0 : came - predicted_);
  const double error = came - expected_;
  for (size_t i = 0; i < scales; ++i) {
    double& mean = errors_[next_][i];
    mean = within(mean + (std::abs(error) - mean) * rates[i], least_error, most_error);
  }
  std::copy_backward(last_.begin(), last_.end() - 1, last_.end());
  last_[0] = came;
  const uint64_t channels = wide ? stride / 2 : stride;
  next_ = static_cast<uint32_t>((wide ? text.size() / 2 : text.size()) % channels);
  predicted_ = channels_[next_].predict(last_);
  if (!(std::abs(predicted_) < most_predicted)) channels_[next_] = LeastSquares(), predicted_ = 0;
  expected_ = within(predicted_, lowest, highest);
}

uint32_t Samples::p(uint32_t prefix, size_t i) const {
  const double scale = 1 / (0.6 * errors_[next_][i] + 1.0 / 1024);
  const int known = std::bit_width(prefix) - 1;
  const uint32_t half = 128u >> known, first = (prefix << (8 - known)) & 255;
  const Below& below = logistic_below();
  double zero = 0, one = 0;
  // Adds the mass of the `half` bytes from `low` on, in units of samples, and that of the next ones.
  const auto add = [&](double low, double width) {
    const double middle = below((low + width - expected_) * scale);
    zero += middle - below((low - expected_) * scale) + width * everywhere;
    one += below((low + 2 * width - expected_) * scale) - middle + width * everywhere;
  };
  if (stride_ % 2 != 0) {
    add(first - 128.5, half);
  } else if (!upper_) {  // the upper byte may be any; a sample is in the middle of its step
    const double base = std::floor(expected_) + (first - 0.5) / 256;
    for (int around = -1; around <= 1; ++around) add(base + around, half / 256.0);
  } else {  // the samples that the lower byte allows are in the middle of their steps
    const double offset = (static_cast<int>(lower_) - 128) / 256.0;
    if (known == 0) {  // the first bit is the sign
      add(-128 + offset, 128);
      std::swap(zero, one);
    } else {
      add(static_cast<int8_t>(first) + offset, half);
    }
  }
  return static_cast<uint32_t>(within(one / (zero + one) * 65536, 1, 65535));
}

int32_t Samples::expected() const {
  const double byte = stride_ % 2 != 0 ? expected_ + 128 : upper_ ? expected_ - lower_ / 256.0 : expected_;
  return static_cast<int32_t>(std::floor(byte * 16));
}

uint32_t Samples::error_size() const {
  const double error = errors_[next_][1] * 256;  // 0.5 to 65536
  uint32_t size = 0;
  for (double limit = 1; size + 1 < sizes && error > limit; limit *= 2) ++size;
  return size;
}

}  // namespace statera::counts
