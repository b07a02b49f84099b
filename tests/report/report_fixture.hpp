// tests/report/fixture.json: a report with made-up figures.
#pragma once
#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/report/keys.hpp"
#include "support/paths.hpp"

namespace statera {

inline std::string fixture_text() {
  std::ifstream file(test::source_path("tests/report/fixture.json"), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What stands in a report and not in the list of its keys, as places.
inline std::vector<std::string> unlisted_keys(const nlohmann::ordered_json& json,
                                              std::span<const ReportKey> keys = report_keys(),
                                              const std::string& place = "") {
  std::vector<std::string> unlisted;
  for (const auto& [name, value] : json.items()) {
    if (place.empty() && name == key::format_version) continue;
    const auto known = std::ranges::find_if(keys, [&](const ReportKey& k) { return k.name == name; });
    if (known == keys.end()) {
      unlisted.push_back(place + name);
      continue;
    }
    if (known->keys.empty()) continue;
    for (const auto& one : value.is_array() ? value : nlohmann::ordered_json::array({value}))
      for (std::string& more : unlisted_keys(one, known->keys, place + name + ".")) unlisted.push_back(std::move(more));
  }
  return unlisted;
}

}  // namespace statera
