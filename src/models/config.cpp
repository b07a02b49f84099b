#include "statera/config.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/check.hpp"
#include "statera/fields.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "io/printable.hpp"
#include "mixers/mixer.hpp"
#include "models/config_format.hpp"
#include "models/layer_config.hpp"
#include "models/model_files.hpp"
#include "models/presets.hpp"
#include "nn/norm.hpp"

namespace statera {

namespace {
constexpr size_t most_depth = 8;  // of brackets in "layers"
constexpr int64_t most_width = int64_t{1} << 20;

void check_range(const std::string& where, const char* name, int64_t value, int64_t low, int64_t high) {
  require(value >= low && value <= high, ErrorCode::config, name, " ", value, " is not in ", low, " to ", high, " (",
          where, ")");
}

void validate(const ModelConfig& c, const std::string& where) {
  require(c.format_version >= 1 && c.format_version <= ModelConfig::newest_format, ErrorCode::config, "format_version ",
          c.format_version, " is not known to this version of statera, which reads up to ", ModelConfig::newest_format,
          " (", where, ")");
  check_range(where, "d_model", c.d_model, 1, most_width);
  check_range(where, "vocab_size", c.vocab_size, 1, most_width);
  check_range(where, "context", c.context, 0, int64_t{1} << 40);
  require(c.norm_eps > 0 && c.norm_eps < 1, ErrorCode::config, "norm_eps ", c.norm_eps, " is not in 0 to 1 (", where,
          ")");
  static_cast<void>(norm_named(c.norm, "norm", where));
  check_range(where, "learned_positions", c.learned_positions, 0, int64_t{1} << 30);
  for (const auto& [key, factor] : {std::pair("embedding_scale", c.embedding_scale), {"logit_scale", c.logit_scale}})
    require(std::isfinite(factor), ErrorCode::config, key, " is not a finite number (", where, ")");
  require(std::isfinite(c.logit_softcap) && c.logit_softcap >= 0, ErrorCode::config, "logit_softcap ", c.logit_softcap,
          " is not 0 or a finite number above (", where, ")");
  initial_scale(c.residual_init, 1, where);
  static_cast<void>(layers_of(c));
}

// As it was written when there was only one kind of MLP, because fingerprints of models depend on the text.
nlohmann::ordered_json with_type_first(const nlohmann::ordered_json& object) {
  nlohmann::ordered_json ordered = {{"type", object.at("type")}};
  for (const auto& [key, value] : object.items()) ordered[key] = value;
  return ordered;
}

std::string fields_added(ModelConfig config) {
  struct Added {
    ModelConfig& config;
    void visit(FieldVisitor& v) { config.visit_added(v); }
  } added{config};
  return write_fields(added);
}

[[noreturn]] void throw_no_preset(std::string_view name) {
  const std::vector<std::string> presets = ModelConfig::presets();
  const std::string hint = did_you_mean(name, std::vector<std::string_view>(presets.begin(), presets.end()));
  std::string all;
  for (const std::string& preset : presets) all += (all.empty() ? "" : ", ") + preset;
  fail(ErrorCode::config, "no preset and no file is called '", name, "'", hint,
       hint.empty() ? "; presets: " : " Presets: ", all);
}
}  // namespace

void ModelConfig::visit(FieldVisitor& v) {
  v.field("format_version", format_version, "version of this format");
  v.field("d_model", d_model, "width of the residual stream");
  v.field("vocab_size", vocab_size, "size of the vocabulary; 256 for bytes");
  v.field("begin", begin, "adds one input id that stands before each document");
  v.field("tied", tied, "the output layer shares its weights with the embedding");
  v.field("norm_eps", norm_eps, "epsilon of the norms");
  v.field("residual_init", residual_init,
          "initial output projections of mixers and MLPs: scaled (by 1 / sqrt of their number), plain or zero");
  v.field("context", context, "sequence length in training; 0: not trained yet");
  v.field("layers", layers,
          "order of the layers: names of mixers with counts, as in \"m3 A m3 A\"; an inner stack in brackets, as in "
          "\"m4 [ T4 ] m4\"");
  v.nested("mixers", "{}", "the mixers that layers may name: an object of names and mixers, each with its \"type\"");
  v.nested("mlp", "null", "the MLP after each mixer of mixers; null: none");
  v.since(2);
  v.nested("blocks", "{}",
           "layers in the explicit form: an object of names and lists of sublayers; a name here stands in layers like "
           "one of mixers");
  v.nested("shared", "{}", "mixers whose weights several sublayers share: an object of names and mixers");
  v.since(3);
  v.nested(
      "inner", "[]",
      "what cuts the sequence for each depth of brackets in layers, from the outermost on: a list of mixers with a "
      "stack; a stack need only say what differs from the config around it");
  visit_added(v);
}

void ModelConfig::visit_added(FieldVisitor& v) {
  v.since(2);
  v.field("norm", norm,
          "norm before each mixer, each MLP and the output: rms, rms_plain (no weight), layer, layer_no_bias or "
          "layer_plain (no weight, no bias)");
  v.field("learned_positions", learned_positions, "number of learned position embeddings; 0: none");
  v.field("embedding_scale", embedding_scale, "the embedding is multiplied by this");
  v.field("logit_scale", logit_scale, "the logits are multiplied by this");
  v.field("logit_softcap", logit_softcap, "soft cap c of the logits, c tanh(logits / c); 0: none");
}

void ModelConfig::visit_keys(KeyVisitor& v) {
  v.object("config", 1);
  ModelConfig().visit(v);
  v.object("config.blocks.NAME, one sublayer", 2);
  SublayerConfig().visit(v);
  visit_mixer_configs([&](std::string_view type, int64_t since) -> FieldVisitor& {
    v.object((type == default_mlp_type() ? "config.mlp, type " : "config.mixers.NAME, type ") + std::string(type),
             since);
    return v;
  });
}

ModelConfig ModelConfig::parse(const std::string& text, const std::string& where) {
  ModelConfig config;
  config.where = where;
  read_fields(JsonText{text, where}, config, {"mixers", "mlp", "blocks", "shared", "inner"});
  const auto json = parse_json(text, where);
  const auto objects = [&](const char* key, std::map<std::string, std::string>& into, bool array) {
    if (!json.contains(key)) return;
    require(json[key].is_object(), ErrorCode::config, key, " is not an object (", where, ")");
    for (const auto& [name, value] : json[key].items()) {
      require(array ? value.is_array() : value.is_object(), ErrorCode::config, key, ".", name, " is not ",
              array ? "a list" : "an object", " (", where, ")");
      into[name] = value.dump();
    }
  };
  objects("mixers", config.mixers, false);
  objects("blocks", config.blocks, true);
  objects("shared", config.shared, false);
  if (json.contains("inner")) {
    require(json["inner"].is_array() && json["inner"].size() <= most_depth, ErrorCode::config,
            "inner is not a list of at most ", most_depth, " entries (", where, ")");
    for (const auto& entry : json["inner"]) {
      require(entry.is_object() && entry.contains("type"), ErrorCode::config,
              "an entry of inner is no object with a \"type\" (", where, ")");
      config.inner.push_back(entry.dump());
    }
  }
  require(!config.mixers.empty() || !config.blocks.empty(), ErrorCode::config,
          "a config needs \"mixers\", an object of named mixers (", where, ")");
  for (const auto& [name, block] : config.blocks)
    require(!config.mixers.contains(name), ErrorCode::config, "mixers and blocks both name '", name, "' (", where, ")");
  if (json.contains("mlp") && !json["mlp"].is_null()) {
    auto mlp = json["mlp"];
    require(mlp.is_object(), ErrorCode::config, "mlp is not an object (", where, ")");
    if (!mlp.contains("type")) mlp["type"] = default_mlp_type();
    config.mlp = mlp.dump();
  }
  validate(config, where);
  return config;
}

namespace {
// The config with one more layer in front: the block of src/mixers/ADDITION/addition.json. `whole` is what the user
// wrote.
ModelConfig with_addition(const std::string& whole, ModelConfig config, const std::string& addition) {
  for (const Preset& known : embedded_additions()) {
    if (known.name != addition) continue;
    require(!config.mixers.contains(addition) && !config.blocks.contains(addition), ErrorCode::config, config.where,
            " has a layer '", addition, "' of its own and cannot get another by '+", addition, "'");
    config.blocks[addition] = known.json;
    config.layers = addition + " " + config.layers;
    config.format_version = ModelConfig::newest_format;
    return ModelConfig::parse(config.json(), config.where + "+" + addition);
  }
  std::string names;
  for (const std::string& name : ModelConfig::additions()) names += (names.empty() ? "+" : ", +") + name;
  fail(ErrorCode::config, "'", whole, "': there is no addition '+", addition, "'; known: ", names);
}
}  // namespace

ModelConfig ModelConfig::load(const std::string& name) {
  std::error_code unused;
  if (const size_t plus = name.rfind('+'); plus != std::string::npos &&
                                           name.find_first_of("/.", plus) == std::string::npos &&
                                           !std::filesystem::exists(name, unused))
    return with_addition(name, load(name.substr(0, plus)), name.substr(plus + 1));
  for (const Preset& preset : embedded_presets())
    if (preset.name == name) return parse(std::string(preset.json), name);
  std::error_code ignored;
  if (std::filesystem::is_directory(name, ignored)) {
    const JsonText text = read_own_config(name);
    return parse(text.text, text.where);
  }
  require(std::filesystem::exists(name, ignored) || (!name.ends_with(".json") && name.find('/') == std::string::npos),
          ErrorCode::io, "cannot read '", name, "': no such file");
  if (!std::filesystem::exists(name, ignored)) throw_no_preset(name);
  return parse(read_json_file(name).text, name);
}

JsonText read_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  std::error_code ignored;
  const bool found = std::filesystem::exists(path, ignored);
  const bool comparison = std::filesystem::exists(folder + "/compare.log", ignored);
  for (const char* one : {"winner", "models"})
    require(found || !comparison || !std::filesystem::is_directory(folder + "/" + one, ignored), ErrorCode::io,
            "the folder '", folder, "' holds no model itself but a comparison of several; name one of them: ", folder,
            "/", one, one == std::string("models") ? "/..." : "");
  require(found, ErrorCode::io, "the folder '", folder, "' holds no config.json: is it a model's?");
  return read_json_file(path);
}

JsonText read_own_config(const std::string& folder) {
  JsonText text = read_config(folder);
  const nlohmann::json config = parse_json(text.text, text.where);
  require(!config.is_object() || config.contains("layers"), ErrorCode::config, text.where,
          " has no \"layers\", so Statera did not write it; statera convert reads models of other projects");
  return text;
}

std::vector<std::string> ModelConfig::presets() {
  std::vector<std::string> names;
  for (const Preset& preset : embedded_presets()) names.emplace_back(preset.name);
  return names;
}

std::vector<std::string> ModelConfig::additions() {
  std::vector<std::string> names;
  for (const Preset& addition : embedded_additions()) names.emplace_back(addition.name);
  return names;
}

std::string ModelConfig::json() const {
  const auto added = parse_ordered_json(fields_added(*this), "config"),
             usual = parse_ordered_json(fields_added({}), "config");
  auto json = parse_ordered_json(write_fields(*this), "config");
  for (const auto& [key, value] : added.items())
    if (value == usual[key]) json.erase(key);
  for (const auto& [name, block] : mixers) json["mixers"][name] = parse_ordered_json(block, "mixers." + name);
  if (!mlp.empty()) json["mlp"] = with_type_first(parse_ordered_json(mlp, "mlp"));
  for (const auto& [name, mixer] : shared) json["shared"][name] = parse_ordered_json(mixer, "shared." + name);
  for (const auto& [name, block] : blocks) json["blocks"][name] = parse_ordered_json(block, "blocks." + name);
  for (const std::string& entry : inner) json["inner"].push_back(parse_ordered_json(entry, "inner"));
  json["format_version"] = oldest_format(json);
  return json.dump(2) + "\n";
}

std::vector<std::vector<std::string>> ModelConfig::layer_mixers() const {
  std::vector<std::vector<std::string>> all;
  for (const BlockConfig& block : layers_of(*this)) {
    all.emplace_back();
    for (const SublayerConfig& sublayer : block) all.back().push_back(sublayer.mixer);
  }
  return all;
}

}  // namespace statera
