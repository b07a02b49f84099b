// JSON from outside, parsed with limits. For .cpp files only: it pulls in nlohmann-json.
#pragma once
#include <locale.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace statera {

constexpr int max_json_depth = 32;
constexpr size_t max_config_bytes = size_t{1} << 20;

// Throws config, naming `where` ("configs/x.json"), for text that is no JSON, is nested deeper than max_json_depth,
// names a key twice in one object, or is longer than max_bytes.
nlohmann::json parse_json(std::string_view text, const std::string& where, size_t max_bytes = max_config_bytes);
// The same, with the keys in the order of the text.
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where,
                                          size_t max_bytes = max_config_bytes);

// The text of it. Bytes that are no UTF-8, as names of files may have, become U+FFFD, where the library would throw.
template <class Json>
std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// While one lives, this thread has the locale "C": the library's parser reads numbers by strtod, and takes the first
// byte of a locale's decimal point for all of it. The functions above have it.
class PointOfC {
 public:
  PointOfC();
  ~PointOfC();
  PointOfC(const PointOfC&) = delete;
  PointOfC& operator=(const PointOfC&) = delete;

 private:
  const locale_t before_;
};

}  // namespace statera
