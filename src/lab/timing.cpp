#include "lab/timing.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "text/quantity.hpp"

namespace statera {

double clock_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

std::string date_text() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc;
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

Timing timing_of(std::vector<double> seconds) {
  if (seconds.empty()) return {};
  std::sort(seconds.begin(), seconds.end());
  const size_t n = seconds.size();
  return {seconds[n / 2], seconds[(3 * n - 1) / 4] - seconds[n / 4], static_cast<int64_t>(n)};
}

double BenchTerms::seconds_left() const { return ends > 0 ? ends - clock_seconds() : INFINITY; }

bool BenchTerms::fits(double seconds, const std::string& what) {
  const double left = seconds_left();
  if (seconds <= left) return true;
  leave_out(what, "it would take about " + seconds_text(std::max(1.0, seconds)) + ", " +
                      seconds_text(std::max(0.0, left)) + " of its share are left");
  return false;
}

bool BenchTerms::worth(double seconds) const { return seconds <= seconds_left() / 10; }

void BenchTerms::leave_out(const std::string& what, const std::string& why) {
  if (note) note("left out: " + what + ": " + why);
  left_out.push_back({what, why});
}

}  // namespace statera
