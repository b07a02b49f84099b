// Numbers as text and back, with a point and no grouping whatever locale the program or its host has chosen. printf,
// strtod and streams go by the locale, so for numbers that are not whole they stand nowhere else
// (tools/include_graph.py).
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace statera {

std::string fixed(double value, int places);        // "0.250"
std::string significant(double value, int digits);  // "0.25", "1e-05": the shorter form, no zeros behind
std::string scientific(double value, int places);   // "2.5e-01"

double rounded(double value, int digits);  // the nearest number with so many significant decimal digits
// The number that `text` begins with, and how long it is; nothing where it begins with none or with one that is beyond
// a double.
struct NumberRead {
  double value;
  size_t length;
};
std::optional<NumberRead> read_number(std::string_view text);

}  // namespace statera
