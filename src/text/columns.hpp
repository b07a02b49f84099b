// How much room text takes in a terminal. For text without control characters (io/printable.hpp).
#pragma once
#include <string>
#include <string_view>

namespace statera {

// Columns of UTF-8 text: wide characters take two, those that combine with the one before none; a byte that belongs to
// no character takes one.
size_t columns_of(std::string_view text);
std::string_view first_columns(std::string_view text, size_t columns);  // as much of its beginning as fits
// The text, or as much of its beginning as fits into so many columns together with ".."
std::string cut_to_columns(std::string_view text, size_t columns);

}  // namespace statera
