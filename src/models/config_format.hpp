// Which format_version of a config first had each key. visit() of a config says it with FieldVisitor::since(), the
// registry for each type of mixer.
#pragma once
#include "io/json.hpp"

namespace statera {

// The oldest format_version that has every key and every type of mixer in `config`, the JSON object of a model. Keys
// and types that nobody lists (add_mixer_type()) count as old.
int64_t oldest_format(const nlohmann::ordered_json& config);

}  // namespace statera
