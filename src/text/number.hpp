// Numbers to text and back, always with a decimal point and without grouping. printf, strtod and streams follow the
// locale of the host program, so they are not used for numbers that are not whole; tools/include_graph.py checks that.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace statera {

std::string fixed(double value, int places);        // "0.250"
std::string significant(double value, int digits);  // "0.25", "1e-05": the shorter form, without trailing zeros
std::string scientific(double value, int places);   // "2.5e-01"

double rounded(double value, int digits);  // the nearest number with this many significant decimal digits
// The number that `text` begins with, and its length; empty if there is none or it is too large for a double.
struct NumberRead {
  double value;
  size_t length;
};
std::optional<NumberRead> read_number(std::string_view text);

}  // namespace statera
