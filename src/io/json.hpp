// Parses JSON of unknown origin, with limits. Include it in .cpp files only: it includes nlohmann-json.
#pragma once
#include <locale.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace statera {

constexpr int max_json_depth = 32;
constexpr size_t max_config_bytes = size_t{1} << 20;

// Throws ErrorCode::config, naming `where` ("configs/x.json"), if the text is not JSON, is nested deeper than
// max_json_depth, has a key twice in one object, or is longer than max_bytes.
nlohmann::json parse_json(std::string_view text, const std::string& where, size_t max_bytes = max_config_bytes);
// The same, with keys in the order of the text.
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where,
                                          size_t max_bytes = max_config_bytes);

// Bytes that are not UTF-8, which file names may contain, become U+FFFD; the library alone would throw.
template <class Json>
std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// Gives this thread the locale "C" while it lives. nlohmann-json reads numbers with strtod and handles only the first
// byte of a locale's decimal point. The functions above use it. Must end on the thread that made it; several of them
// nest.
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
