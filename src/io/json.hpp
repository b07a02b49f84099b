// JSON from outside, parsed with limits. For .cpp files only: it pulls in nlohmann-json.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace statera {

constexpr int max_json_depth = 32;
constexpr size_t max_config_bytes = size_t{1} << 20;

// Throws config, naming `where` ("configs/x.json"), for text that is no JSON, is nested deeper than max_json_depth, names a key twice
// in one object, or is longer than max_bytes.
nlohmann::json parse_json(std::string_view text, const std::string& where, size_t max_bytes = max_config_bytes);
// The same, with the keys in the order of the text.
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where, size_t max_bytes = max_config_bytes);

}  // namespace statera
