// What a reader of a comparison's report should know: one line each.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "lab/compare/findings.hpp"
#include "lab/compare/known.hpp"

namespace statera {

// `report` has everything else. An array of strings.
nlohmann::ordered_json notes(const FindingsFrom& from, const std::vector<Known>& all,
                             const nlohmann::ordered_json& report);

}  // namespace statera
