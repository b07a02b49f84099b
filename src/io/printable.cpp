#include "io/printable.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/characters.hpp"

namespace statera {

namespace {
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
    const size_t size = shown_character(text);
    if (size > 0)
      out += text.substr(0, size);
    else
      out += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return out + "'";
}

std::string printable(std::string_view text) {
  const std::string quoted = in_quotes(text, text.size() * 4 + 2);
  return quoted.substr(1, quoted.size() - 2);
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> names) {
  if (name.empty() || name.size() > 64) return {};
  std::string_view best;
  // The distance must be less than the length of the name, so that at least one letter is kept.
  size_t least = std::min(std::max<size_t>(2, name.size() / 3), name.size() - 1) + 1;
  for (std::string_view candidate : names)
    if (const size_t distance = edit_distance(name, candidate); distance < least) {
      least = distance;
      best = candidate;
    }
  return best.empty() ? "" : "; did you mean " + in_quotes(best) + "?";
}

}  // namespace statera
