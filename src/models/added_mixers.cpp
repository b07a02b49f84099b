// Mixers that the host program adds.
#include <algorithm>
#include <map>

#include "core/check.hpp"
#include "io/json.hpp"
#include "models/language_model.hpp"

namespace statera {

namespace {
std::map<std::string, MakeMixer>& added() {
  static std::map<std::string, MakeMixer> types;
  return types;
}
}  // namespace

bool add_mixer_type(const std::string& type, MakeMixer make) {
  const auto known = mixer_types();
  require(std::ranges::find(known, type) == known.end() && added().emplace(type, make).second, ErrorCode::config,
          "there is a mixer type '", type, "' already");
  return true;
}

std::unique_ptr<Mixer> make_any_mixer(const JsonText& config, const Place& place) {
  if (!added().empty()) {
    const auto json = parse_json(config.text, config.where);
    if (json.is_object() && json.contains("type") && json["type"].is_string())
      if (const auto found = added().find(json["type"]); found != added().end()) return found->second(config, place);
  }
  return make_mixer(config, place);
}

}  // namespace statera
