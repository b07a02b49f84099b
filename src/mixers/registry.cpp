// The mixers, one line each. When a line and the folder of its mixer are deleted, everything else still builds.
#include "core/check.hpp"
#include "io/json.hpp"
#include "mixers/attention/attention.hpp"
#include "mixers/hnet/hnet.hpp"
#include "mixers/mamba1/mamba1.hpp"
#include "mixers/mamba2/mamba2.hpp"
#include "mixers/mlp/mlp.hpp"
#include "mixers/ngram/ngram.hpp"
#include "mixers/mixer.hpp"

namespace statera {

namespace {
struct Entry {
  std::string_view type;
  int64_t since;  // the format_version of configs that first had it
  std::unique_ptr<Mixer> (*make)(const JsonText& config, const Place& place);
  void (*visit)(FieldVisitor&);  // visits the fields of its config, at their defaults
  const InnerPace* pace;
};

template <class Type, class Config>
Entry entry(std::string_view type, int64_t since) {
  return {type, since,
          [](const JsonText& config, const Place& place) -> std::unique_ptr<Mixer> {
            return std::make_unique<Type>(config, place);
          },
          [](FieldVisitor& v) { Config().visit(v); },
          [] {
            const InnerPace* pace = nullptr;
            if constexpr (requires { Type::pace; }) pace = &Type::pace;
            return pace;
          }()};
}

// Sorted by name, as mixer_types() and error messages list them.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = {
      entry<AttentionMixer, AttentionConfig>("attention", 1),
      entry<Mlp, MlpConfig>("ffn", 2),
      entry<Hnet, HnetConfig>("hnet", 3),
      entry<Mamba1, Mamba1Config>("mamba1", 1),
      entry<Mamba2, Mamba2Config>("mamba2", 1),
      entry<Ngram, NgramConfig>("ngram", 2),
      entry<Swiglu, SwigluConfig>("swiglu", 1),
  };
  return all;
}
}  // namespace

std::vector<std::string_view> mixer_types() {
  std::vector<std::string_view> types;
  for (const Entry& entry : entries()) types.push_back(entry.type);
  return types;
}

const InnerPace* inner_pace(std::string_view type) {
  for (const Entry& entry : entries())
    if (entry.type == type) return entry.pace;
  return nullptr;
}

std::string_view default_mlp_type() { return "swiglu"; }

void visit_mixer_configs(FunctionRef<FieldVisitor&(std::string_view type, int64_t since)> visitor) {
  for (const Entry& e : entries()) e.visit(visitor(e.type, e.since));
}

std::unique_ptr<Mixer> make_mixer(const JsonText& config, const Place& place) {
  const auto json = parse_json(config.text, config.where);
  require(json.is_object() && json.contains("type") && json["type"].is_string(), ErrorCode::config,
          "a mixer needs a \"type\" (", config.where, ")");
  const std::string type = json["type"];
  std::string known;
  for (const Entry& entry : entries()) {
    if (entry.type == type) return entry.make(config, place);
    known += (known.empty() ? "" : ", ") + std::string(entry.type);
  }
  fail(ErrorCode::config, "unknown mixer type '", type, "' (", config.where, "); known: ", known);
}

}  // namespace statera
