// The width of text in a terminal. The text must not contain control characters (io/printable.hpp).
#pragma once
#include <string>
#include <string_view>

namespace statera {

// The number of columns: a wide character takes two, a combining character none, a byte that is not UTF-8 one.
size_t columns_of(std::string_view text);
std::string_view first_columns(std::string_view text, size_t columns);  // the longest beginning that fits
// The text, or its longest beginning that fits into `columns` together with "..".
std::string cut_to_columns(std::string_view text, size_t columns);

}  // namespace statera
