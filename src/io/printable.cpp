#include "io/printable.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace statera {

namespace {
// Bytes of the UTF-8 character at the front; 0 if it is none. Only the form is checked: enough for a terminal.
size_t character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t size = byte(0) < 0x80 ? 1 : byte(0) < 0xC2 ? 0 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : byte(0) < 0xF5 ? 4 : 0;
  if (size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  return size;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}
}  // namespace

std::string in_quotes(std::string_view text, size_t most) {
  constexpr char hex[] = "0123456789abcdef";
  std::string out = "'";
  while (!text.empty()) {
    if (out.size() > most) return out + "...'";
    const auto byte = static_cast<unsigned char>(text[0]);
    const size_t size = byte < 0x20 || byte == 0x7F ? 0 : character(text);
    if (size > 0) out += text.substr(0, size);
    else out += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return out + "'";
}

std::string printable(std::string_view text) {
  const std::string quoted = in_quotes(text, text.size() * 4 + 2);
  return quoted.substr(1, quoted.size() - 2);
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> names) {
  if (name.size() > 64) return {};
  std::string_view best;
  size_t least = std::max<size_t>(2, name.size() / 3) + 1;
  for (std::string_view candidate : names)
    if (const size_t distance = edit_distance(name, candidate); distance < least) {
      least = distance;
      best = candidate;
    }
  return best;
}

}  // namespace statera
