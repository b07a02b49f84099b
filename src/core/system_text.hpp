// Reads numbers and words from files of the system such as /proc/meminfo. Streams and strtod are not used, because they
// follow the locale.
#pragma once
#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace statera {

// The number at the beginning of the text, after spaces, and the rest of the text; 0 if there is no number.
inline std::pair<double, std::string_view> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  double value = 0;
  const char* end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  return {value, text.substr(static_cast<size_t>(end - text.data()))};
}

// number_after("/proc/meminfo", "MemTotal:", x) of "MemTotal:  24099876 kB" is 24099876; x if no line begins with the
// key.
inline double number_after(const std::string& path, std::string_view key, double otherwise) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key)) return leading_number(std::string_view(line).substr(key.size())).first;
  return otherwise;
}

// Empty if there is no such file.
inline std::string first_word(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

}  // namespace statera
