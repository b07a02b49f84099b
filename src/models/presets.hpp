// The configs that are built into the binary. CMake generates the table from configs/*.json.
#pragma once
#include <string_view>
#include <vector>

namespace statera {

struct Preset {
  std::string_view name, json;
};
const std::vector<Preset>& embedded_presets();
const std::vector<Preset>& embedded_usual();  // configs/usual/kinds.json; in the lab's library

}  // namespace statera
