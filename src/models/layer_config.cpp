#include "models/layer_config.hpp"

#include <cmath>

#include "core/check.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "nn/norm.hpp"

namespace statera {

namespace {
constexpr int64_t most_layers = 4096;
constexpr size_t most_sublayers = 64;

void one_of(const std::string& value, std::initializer_list<std::string_view> known, const char* key,
            const std::string& where) {
  std::string all;
  for (const std::string_view name : known) {
    if (name == value) return;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  fail(ErrorCode::config, key, " is '", value, "'; known: ", all, " (", where, ")");
}

SublayerConfig read_sublayer(const std::string& json, const std::map<std::string, std::string>& shared,
                             const std::string& where) {
  SublayerConfig s;
  read_fields({json, where}, s, {"mixer"});
  const auto object = parse_json(json, where);
  const auto mixer = object.value("mixer", nlohmann::json());
  require(mixer.is_object() || mixer.is_string(), ErrorCode::config,
          "a sublayer needs a \"mixer\", an object or the name of one in \"shared\" (", where, ")");
  if (mixer.is_string()) {
    s.shared = mixer;
    require(shared.contains(s.shared), ErrorCode::config, "mixer names '", s.shared, "', which shared does not have (",
            where, ")");
  }
  s.mixer = s.shared.empty() ? mixer.dump() : shared.at(s.shared);
  require(
      !s.name.empty() && s.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
                             std::string::npos,
      ErrorCode::config, "a sublayer needs a \"name\" of letters, digits and _ (", where, ")");
  if (s.norm_name.empty()) s.norm_name = s.name + "_norm";
  for (const auto& [key, value] : {std::pair("norm", s.norm), {"post_norm", s.post_norm}})
    static_cast<void>(norm_named(value, key, where, true));
  constexpr int64_t most_rank = int64_t{1} << 20;
  require(s.low_rank >= 0 && s.low_rank <= most_rank, ErrorCode::config, "low_rank ", s.low_rank, " is not in 0 to ",
          most_rank, " (", where, ")");
  require(s.shared.empty() || s.lr_scale == 1, ErrorCode::config, "lr_scale is of a sublayer's own parameters, and '",
          s.shared, "' is shared (", where, ")");
  one_of(s.input, {"stream", "block"}, "input", where);
  one_of(s.residual, {"stream", "normed", "none"}, "residual", where);
  require(std::isfinite(s.lr_scale) && s.lr_scale >= 0, ErrorCode::config, "lr_scale ", s.lr_scale,
          " is not a finite number of 0 or more (", where, ")");
  require(std::isfinite(s.scale) && std::isfinite(s.residual_scale), ErrorCode::config,
          "scale and residual_scale are finite (", where, ")");
  return s;
}

BlockConfig short_form(const std::string& mixer, const std::string& mlp, const std::string& norm) {
  BlockConfig block = {{.name = "mixer", .norm = norm, .norm_name = "norm", .mixer = mixer}};
  if (!mlp.empty()) block.push_back({.name = "mlp", .norm = norm, .norm_name = "mlp_norm", .mixer = mlp});
  return block;
}
}  // namespace

BlockConfig read_block(const std::string& json, const std::map<std::string, std::string>& shared,
                       const std::string& where) {
  const auto array = parse_json(json, where);
  require(array.is_array() && !array.empty() && array.size() <= most_sublayers, ErrorCode::config,
          "a block is a list of 1 to ", most_sublayers, " sublayers (", where, ")");
  BlockConfig block;
  for (size_t i = 0; i < array.size(); ++i) {
    const std::string at = where + "[" + std::to_string(i) + "]";
    block.push_back(read_sublayer(array[i].dump(), shared, at));
    for (size_t j = 0; j < i; ++j)
      require(block[j].name != block[i].name && block[j].norm_name != block[i].norm_name, ErrorCode::config,
              "two sublayers of a block have one name (", at, ")");
  }
  return block;
}

std::vector<BlockConfig> layers_of(const ModelConfig& config) {
  std::map<std::string, BlockConfig> known;
  for (const auto& [name, mixer] : config.mixers) known[name] = short_form(mixer, config.mlp, config.norm);
  for (const auto& [name, block] : config.blocks)
    known[name] = read_block(block, config.shared, config.where + ": blocks." + name);
  std::vector<BlockConfig> layers;
  for (const std::string& name : layer_names(config.layers)) {
    const auto at = known.find(name);
    require(at != known.end(), ErrorCode::config, "layers names '", name, "', which neither mixers nor blocks has (",
            config.where, ")");
    layers.push_back(at->second);
  }
  return layers;
}

std::vector<std::string> layer_names(const std::string& layers) {
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
    require(count >= 1 && static_cast<int64_t>(list.size()) + count <= most_layers, ErrorCode::config, "layers '",
            layers, "' names no layer or more than ", most_layers);
    list.insert(list.end(), static_cast<size_t>(count), name);
  }
  require(!list.empty(), ErrorCode::config, "a config needs \"layers\", as in \"m3 A m3 A\"");
  return list;
}

// "scaled" divides by the square root of the number of additions to the stream, as in GPT-2 (Radford et al., 2019,
// section 2.3). "zero" lets a block start as the identity: Goyal et al. (2017, section 5.1), Fixup (Zhang et al.,
// 2019).
double initial_scale(const std::string& residual_init, size_t sublayers, const std::string& where) {
  one_of(residual_init, {"scaled", "plain", "zero"}, "residual_init", where);
  return residual_init == "zero"    ? 0
         : residual_init == "plain" ? 1
                                    : 1 / std::sqrt(static_cast<double>(std::max<size_t>(1, sublayers)));
}

}  // namespace statera
