#include "text/quantity.hpp"

#include <cmath>
#include <cstdint>
#include <cstdio>

#include "text/number.hpp"

namespace statera {

namespace {
std::string scaled(double value, const char* const* units, int count, double base) {
  int unit = 0;
  while (std::abs(value) >= base && unit + 1 < count) {
    value /= base;
    ++unit;
  }
  return fixed(value, unit == 0 || value >= 100 ? 0 : value < 10 ? 2 : 1) + " " + units[unit];
}
}  // namespace

std::string bytes_text(double bytes) {
  static const char* const units[] = {"B", "KB", "MB", "GB", "TB"};
  return scaled(bytes, units, 5, 1000);
}

std::string count_text(double count) {
  static const char* const units[] = {"", "K", "M", "G", "T"};
  std::string text = scaled(count, units, 5, 1000);
  if (text.back() == ' ') text.pop_back();
  return text;
}

std::string plain_seconds(double seconds) { return fixed(seconds, seconds < 100 ? 1 : 0) + " s"; }

std::string number_text(double number) { return significant(number, 6); }

std::string seconds_text(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(seconds));
  char text[48];
  if (s < 60)
    std::snprintf(text, sizeof text, "%lld s", static_cast<long long>(s));
  else if (s < 3600)
    std::snprintf(text, sizeof text, "%lld m %02lld s", static_cast<long long>(s / 60), static_cast<long long>(s % 60));
  else
    std::snprintf(text, sizeof text, "%lld h %02lld m", static_cast<long long>(s / 3600),
                  static_cast<long long>(s / 60 % 60));
  return text;
}

}  // namespace statera
