// Numbers and words in the files that the system shows, as /proc/meminfo. Streams and strtod would read numbers by the
// locale.
#pragma once
#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace statera {

// The number that a text begins with, behind spaces, and what follows it; 0 where there is none.
inline std::pair<double, std::string_view> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  double value = 0;
  const char* end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  return {value, text.substr(static_cast<size_t>(end - text.data()))};
}

// "MemTotal:  24099876 kB" -> 24099876; `otherwise` where no line begins with `key`.
inline double number_after(const std::string& path, std::string_view key, double otherwise) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key)) return leading_number(std::string_view(line).substr(key.size())).first;
  return otherwise;
}

inline std::string first_word(const std::string& path) {  // "" where there is no such file
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

}  // namespace statera
