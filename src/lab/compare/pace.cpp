#include "lab/compare/pace.hpp"

#include <algorithm>

#include "text/quantity.hpp"

namespace statera {

double Pace::times() const { return planned_ > 0 ? std::max(1.0, taken_ / planned_) : 1; }

std::optional<std::string> Pace::slower(double left, double since, std::optional<double> promised) {
  constexpr double much = 1.25, noticed = 1;  // seconds
  if (said_ || taken_ <= much * planned_ || taken_ - planned_ < noticed) return {};
  said_ = true;
  const double expected = since + left * times(), planned = promised.value_or(since - (taken_ - planned_) + left);
  return "this machine is slower than when it was measured: about " + seconds_text(expected) + " instead of " +
         seconds_text(planned) + ", since the numbers of steps stay as they are";
}

}  // namespace statera
