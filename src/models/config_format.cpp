#include "models/config_format.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "mixers/mixer.hpp"
#include "models/layer_config.hpp"

namespace statera {

namespace {
using nlohmann::ordered_json;

// The format that first had an object, and each of its keys.
class Formats : public FieldVisitor {
 public:
  explicit Formats(int64_t object) : object_(object), now_(object) {}
  int64_t object() const { return object_; }
  int64_t of(const std::string& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? object_ : found->second;
  }
  void since(int64_t format) override { now_ = format; }
  void field(const char* name, int64_t&, const char*) override { keys_[name] = now_; }
  void field(const char* name, double&, const char*) override { keys_[name] = now_; }
  void field(const char* name, float&, const char*) override { keys_[name] = now_; }
  void field(const char* name, bool&, const char*) override { keys_[name] = now_; }
  void field(const char* name, std::string&, const char*) override { keys_[name] = now_; }
  void nested(const char* name, const char*, const char*) override { keys_[name] = now_; }

 private:
  const int64_t object_;
  int64_t now_;
  std::map<std::string, int64_t> keys_;
};

struct AllFormats {
  Formats config{1}, sublayer{2};
  std::map<std::string, Formats, std::less<>> types;

  AllFormats() {
    ModelConfig().visit(config);
    SublayerConfig().visit(sublayer);
    visit_mixer_configs([&](std::string_view type, int64_t since) -> FieldVisitor& {
      return types.emplace(type, Formats(since)).first->second;
    });
  }

  int64_t of_config(const ordered_json& object) const {
    int64_t newest = of_keys(object, config);
    for (const char* key : {"mixers", "shared", "inner"})
      for (const ordered_json& mixer : child(object, key)) newest = std::max(newest, of_mixer(mixer));
    newest = std::max(newest, of_mixer(child(object, "mlp")));
    for (const ordered_json& block : child(object, "blocks"))
      for (const ordered_json& sublayer : block) newest = std::max(newest, of_sublayer(sublayer));
    return newest;
  }

  static int64_t of_keys(const ordered_json& object, const Formats& formats) {
    int64_t newest = formats.object();
    for (const auto& [key, value] : object.items()) newest = std::max(newest, formats.of(key));
    return newest;
  }

 private:
  static const ordered_json& child(const ordered_json& object, const char* key) {
    static const ordered_json none = ordered_json::object();
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? none : *found;
  }

  int64_t of_sublayer(const ordered_json& object) const {
    const ordered_json& mixer = child(object, "mixer");  // or the name of a shared one
    return std::max(of_keys(object, sublayer), mixer.is_object() ? of_mixer(mixer) : 1);
  }

  // The mixers and stacks that it consists of count as well.
  int64_t of_mixer(const ordered_json& value) const {
    if (value.is_array()) {
      int64_t newest = 1;
      for (const ordered_json& mixer : value) newest = std::max(newest, of_mixer(mixer));
      return newest;
    }
    if (!value.is_object() || value.empty()) return 1;
    const ordered_json& type = child(value, "type");
    if (!type.is_string()) return of_config(value);
    const auto known = types.find(type.get_ref<const std::string&>());
    int64_t newest = known == types.end() ? 1 : of_keys(value, known->second);
    for (const ordered_json& inner : value) newest = std::max(newest, of_mixer(inner));
    return newest;
  }
};
const AllFormats& all_formats() {
  static const AllFormats all;
  return all;
}
}  // namespace

int64_t oldest_format(const ordered_json& config) { return all_formats().of_config(config); }

std::string fingerprinted_json(const ModelConfig& config) {
  auto json = parse_ordered_json(config.json(), "config");
  json["format_version"] = AllFormats::of_keys(json, all_formats().config);
  return json.dump(2) + "\n";
}

}  // namespace statera
