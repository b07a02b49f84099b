// The configs that are built into the binary. CMake generates the table from configs/*.json.
#pragma once
#include <string_view>
#include <vector>

namespace statera {

struct Preset {
  std::string_view name, json;
};
const std::vector<Preset>& embedded_presets();
// The layers that "PRESET+NAME" puts before the others: src/mixers/*/addition.json, by the names of the folders; a JSON
// array of sublayers each.
const std::vector<Preset>& embedded_additions();
const std::vector<Preset>& embedded_usual();  // configs/usual/kinds.json; in the lab's library

}  // namespace statera
