#include "statera/config.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/check.hpp"
#include "core/fields.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "mixers/mixer.hpp"
#include "models/presets.hpp"

namespace statera {

namespace {
constexpr int64_t most_layers = 4096, most_width = int64_t{1} << 20;

struct MlpConfig {
  std::string type = "swiglu";
  int64_t d_ff = 0;
  void visit(FieldVisitor& v) {
    v.field("type", type, "kind of MLP");
    v.field("d_ff", d_ff, "hidden width");
  }
};

void check_range(const std::string& where, const char* name, int64_t value, int64_t low, int64_t high) {
  require(value >= low && value <= high, ErrorCode::config, name, " ", value, " is not in ", low, " to ", high, " (", where, ")");
}

void validate(const ModelConfig& c, const std::string& where) {
  require(c.format_version >= 1 && c.format_version <= ModelConfig::newest_format, ErrorCode::config, "format_version ", c.format_version,
          " is not known to this version of statera, which reads up to ", ModelConfig::newest_format, " (", where, ")");
  check_range(where, "d_model", c.d_model, 1, most_width);
  check_range(where, "vocab_size", c.vocab_size, 1, most_width);
  check_range(where, "d_ff", c.d_ff, 0, 16 * most_width);
  check_range(where, "context", c.context, 0, int64_t{1} << 40);
  require(c.norm_eps > 0 && c.norm_eps < 1, ErrorCode::config, "norm_eps ", c.norm_eps, " is not in 0 to 1 (", where, ")");
  c.residual_scale();
  for (const std::string& name : c.layer_list())
    require(c.mixers.count(name), ErrorCode::config, "layers names '", name, "', which mixers does not have (", where, ")");
}

std::string preset_names() {
  std::string names;
  for (const std::string& name : ModelConfig::presets()) names += (names.empty() ? "" : ", ") + name;
  return names;
}
}  // namespace

void ModelConfig::visit(FieldVisitor& v) {
  v.field("format_version", format_version, "version of this format");
  v.field("d_model", d_model, "width of the residual stream");
  v.field("vocab_size", vocab_size, "ids that are predicted; 256 for bytes");
  v.field("begin", begin, "one more input id that stands before a document");
  v.field("tied", tied, "the output matrix is the embedding");
  v.field("norm_eps", norm_eps, "epsilon of the RMS norms");
  v.field("residual_init", residual_init, "how outputs of mixers and MLPs start: scaled (by 1 / sqrt of their number), plain or zero");
  v.field("context", context, "positions that training saw at once; 0: not trained");
  v.field("layers", layers, "names of mixers with counts, as in \"m3 A m3 A\"");
}

void ModelConfig::visit_keys(KeyVisitor& v) {
  v.object("config");
  ModelConfig().visit(v);
  v.object("config.mlp");
  MlpConfig().visit(v);
  visit_mixer_configs([&](std::string_view type) -> FieldVisitor& {
    v.object("config.mixers.NAME, type " + std::string(type));
    return v;
  });
}

ModelConfig ModelConfig::parse(const std::string& text, const std::string& where) {
  ModelConfig config;
  config.where = where;
  read_fields(JsonText{text, where}, config, {"mixers", "mlp"});
  const auto json = parse_json(text, where);
  require(json.contains("mixers") && json["mixers"].is_object() && !json["mixers"].empty(), ErrorCode::config,
          "a config needs \"mixers\", an object of named mixers (", where, ")");
  for (const auto& [name, block] : json["mixers"].items()) {
    require(block.is_object(), ErrorCode::config, "mixers.", name, " is not an object (", where, ")");
    config.mixers[name] = block.dump();
  }
  if (json.contains("mlp") && !json["mlp"].is_null()) {
    MlpConfig mlp;
    read_fields(JsonText{json["mlp"].dump(), where + ": mlp"}, mlp);
    require(mlp.type == "swiglu", ErrorCode::config, "unknown mlp type '", mlp.type, "'; known: swiglu (", where, ": mlp)");
    require(mlp.d_ff > 0, ErrorCode::config, "mlp needs a d_ff of at least 1 (", where, ": mlp)");
    config.d_ff = mlp.d_ff;
  }
  validate(config, where);
  return config;
}

ModelConfig ModelConfig::load(const std::string& name) {
  for (const Preset& preset : embedded_presets())
    if (preset.name == name) return parse(std::string(preset.json), name);
  std::string path = name;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) path += "/config.json";
  require(path == name || std::filesystem::exists(path, ignored), ErrorCode::io, "the folder '", name,
          "' holds no config.json: is it a model's?");
  require(std::filesystem::exists(path, ignored) || (!name.ends_with(".json") && name.find('/') == std::string::npos), ErrorCode::io, "cannot read '", name,
          "': no such file");
  require(std::filesystem::exists(path, ignored), ErrorCode::config, "no preset and no file is called '", name,
          "'; presets: ", preset_names());
  return parse(read_json_file(path).text, path);
}

std::vector<std::string> ModelConfig::presets() {
  std::vector<std::string> names;
  for (const Preset& preset : embedded_presets()) names.emplace_back(preset.name);
  return names;
}

std::string ModelConfig::json() const {
  auto json = parse_ordered_json(write_fields(*this), "config");
  for (const auto& [name, block] : mixers) json["mixers"][name] = parse_ordered_json(block, "mixers." + name);
  if (d_ff > 0) json["mlp"] = {{"type", "swiglu"}, {"d_ff", d_ff}};
  return json.dump(2) + "\n";
}

std::vector<std::string> ModelConfig::layer_list() const {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::vector<std::string> list;
  size_t i = 0;
  while (i < layers.size()) {
    if (layers[i] == ' ') {
      ++i;
      continue;
    }
    std::string name;
    int64_t count = 0;
    while (i < layers.size() && is_letter(layers[i])) name += layers[i++];
    const bool counted = i < layers.size() && is_digit(layers[i]);
    while (i < layers.size() && is_digit(layers[i]) && count <= most_layers) count = count * 10 + (layers[i++] - '0');
    require(!name.empty() && (i == layers.size() || layers[i] == ' '), ErrorCode::config, "layers '", layers,
            "': expected names of mixers with counts, as in \"m3 A m3 A\"");
    if (!counted) count = 1;
    require(count >= 1 && static_cast<int64_t>(list.size()) + count <= most_layers, ErrorCode::config, "layers '", layers,
            "' names no layer or more than ", most_layers);
    list.insert(list.end(), static_cast<size_t>(count), name);
  }
  require(!list.empty(), ErrorCode::config, "a config needs \"layers\", as in \"m3 A m3 A\"");
  return list;
}

// Scaled by the number of additions to the stream: GPT-2 (Radford et al., 2019, section 2.3); at zero, so that a block starts as the
// identity: Goyal et al. (2017, section 5.1), Fixup (Zhang et al., 2019).
double ModelConfig::residual_scale() const {
  if (residual_init == "zero") return 0;
  if (residual_init == "plain") return 1;
  require(residual_init == "scaled", ErrorCode::config, "residual_init '", residual_init, "' is not scaled, plain or zero (", where, ")");
  const double additions = static_cast<double>(layer_list().size()) * (d_ff > 0 ? 2 : 1);
  return 1 / std::sqrt(additions);
}

}  // namespace statera
