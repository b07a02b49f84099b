#include "text/number.hpp"

#include <array>
#include <charconv>

namespace statera {

namespace {
std::string written(double value, std::chars_format format, int precision) {
  std::array<char, 400> text;  // the largest double has 309 digits before the point
  const int most = 80;
  return {
      text.data(),
      std::to_chars(text.data(), text.data() + text.size(), value, format, precision < most ? precision : most).ptr};
}
}  // namespace

std::string fixed(double value, int places) { return written(value, std::chars_format::fixed, places); }
std::string significant(double value, int digits) { return written(value, std::chars_format::general, digits); }
std::string scientific(double value, int places) { return written(value, std::chars_format::scientific, places); }

double rounded(double value, int digits) {
  const auto read = read_number(scientific(value, digits - 1));
  return read ? read->value : value;
}

std::optional<NumberRead> read_number(std::string_view text) {
  NumberRead number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number.value);
  if (error != std::errc()) return std::nullopt;
  number.length = static_cast<size_t>(end - text.data());
  return number;
}

}  // namespace statera
