// Which UTF-8 characters may be shown to a user.
#pragma once
#include <cstddef>
#include <string_view>

namespace statera {

// The length in bytes of the first character of `text`, which must not be empty. 0 if it must not be shown: control
// characters (C0, delete, C1), and bytes that are not valid UTF-8 (overlong forms, surrogates, values above U+10FFFF).
constexpr size_t shown_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first < 0x20 || first == 0x7F ? 0 : 1;
  const size_t size = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (size == 0 || size > text.size()) return 0;
  unsigned value = first & (0x7Fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000), control = value < 0xA0;
  return overlong || control || (value >= 0xD800 && value < 0xE000) || value > 0x10FFFF ? 0 : size;
}

}  // namespace statera
