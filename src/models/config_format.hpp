// Which format_version of a config first had each key. visit() of a config says it with FieldVisitor::since(), the
// registry for each type of mixer.
#pragma once
#include <string>

#include "io/json.hpp"
#include "statera/config.hpp"

namespace statera {

// The oldest format_version that has every key and every type of mixer in `config`, the JSON object of a model. Keys
// and types that nobody lists (add_mixer_type()) count as old.
int64_t oldest_format(const nlohmann::ordered_json& config);

// The text of a config that a model's fingerprint has. It differs from json() in its format_version, which here
// follows from the keys of the config itself, whatever types its mixers have: fingerprints stand in compressed files
// and saved sessions that were made when json() did so.
std::string fingerprinted_json(const ModelConfig& config);

}  // namespace statera
