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

namespace {
// The layer that "[ ... ]" stands for: a mixer with a stack, which brings its own residual. The first entry of "inner"
// is its config, the others belong to the brackets within. The stack takes all other values from the config around it.
BlockConfig inner_layer(const ModelConfig& config, const std::string& layers) {
  require(!config.inner.empty(), ErrorCode::config, "layers '", config.layers,
          "' has brackets deeper than \"inner\" has entries, which say what cuts the sequence (", config.where, ")");
  auto mixer = parse_json(config.inner.front(), config.where + ": inner");
  const auto given = mixer.value("stack", nlohmann::json::object());
  require(given.is_object(), ErrorCode::config, "inner: stack is not an object (", config.where, ")");
  for (const char* key : {"layers", "inner"})
    require(!given.contains(key), ErrorCode::config, "inner: stack has '", key,
            "', which the brackets in \"layers\" say (", config.where, ")");
  nlohmann::json stack = {{"d_model", config.d_model},
                          {"norm", config.norm},
                          {"norm_eps", config.norm_eps},
                          {"residual_init", config.residual_init},
                          {"layers", layers}};
  if (!config.mlp.empty()) stack["mlp"] = parse_json(config.mlp, config.where);
  const auto objects = [&](const char* key, const std::map<std::string, std::string>& around) {
    for (const auto& [name, text] : around) stack[key][name] = parse_json(text, config.where);
  };
  objects("mixers", config.mixers);
  objects("blocks", config.blocks);
  objects("shared", config.shared);
  for (const char* key : {"mixers", "blocks", "shared"})
    require(!given.contains(key) || given[key].is_object(), ErrorCode::config, "inner: stack.", key,
            " is not an object (", config.where, ")");
  for (const auto& [key, value] : given.items()) {
    if (stack.contains(key) && stack[key].is_object() && key != "mlp")
      stack[key].update(value);
    else
      stack[key] = value;  // its type is checked where the stack is made
  }
  // a name that the entry gives another form
  for (const auto& [one, other] : {std::pair("mixers", "blocks"), {"blocks", "mixers"}})
    if (given.contains(one) && stack.contains(other))
      for (const auto& [name, value] : given[one].items()) stack[other].erase(name);
  for (size_t i = 1; i < config.inner.size(); ++i) stack["inner"].push_back(parse_json(config.inner[i], config.where));
  mixer["stack"] = stack;
  return {{.name = "inner", .norm = config.norm, .norm_name = "inner_norm", .residual = "none", .mixer = mixer.dump()}};
}
}  // namespace

size_t count_sublayers(const std::vector<BlockConfig>& layers) {
  size_t count = 0;
  for (const BlockConfig& layer : layers) count += layer.size();
  return count;
}

std::vector<BlockConfig> layers_of(const ModelConfig& config) {
  std::map<std::string, BlockConfig> known;
  for (const auto& [name, mixer] : config.mixers) known[name] = short_form(mixer, config.mlp, config.norm);
  for (const auto& [name, block] : config.blocks)
    known[name] = read_block(block, config.shared, config.where + ": blocks." + name);
  std::vector<BlockConfig> layers;
  require(config.inner.empty() || config.layers.find('[') != std::string::npos, ErrorCode::config,
          "\"inner\" has more entries than the brackets of layers '", config.layers, "' are deep (", config.where, ")");
  for (const std::string& name : layer_names(config.layers)) {
    if (name.front() == '[') {
      layers.push_back(inner_layer(config, name.substr(1, name.size() - 2)));
      continue;
    }
    const auto at = known.find(name);
    require(at != known.end(), ErrorCode::config, "layers names '", name, "', which neither mixers nor blocks has (",
            config.where, ")");
    layers.push_back(at->second);
  }
  return layers;
}

namespace {
// Of the bracket that opens at `begin`. Throws ErrorCode::config.
size_t closing_bracket(const std::string& layers, size_t begin) {
  int open = 0;
  for (size_t i = begin; i < layers.size(); ++i) {
    open += layers[i] == '[' ? 1 : layers[i] == ']' ? -1 : 0;
    if (open == 0) return i;
  }
  fail(ErrorCode::config, "layers '", layers, "': a bracket is not closed; expected brackets as in \"m4 [ T4 ] m4\"");
}
}  // namespace

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
    if (layers[i] == '[') {
      const size_t end = closing_bracket(layers, i);
      require(static_cast<int64_t>(list.size()) < most_layers, ErrorCode::config, "more than ", most_layers,
              " layers: '", layers, "'");
      list.push_back(layers.substr(i, end + 1 - i));
      i = end + 1;
      continue;
    }
    std::string name;
    int64_t count = 0;
    while (i < layers.size() && is_letter(layers[i])) name += layers[i++];
    const bool counted = i < layers.size() && is_digit(layers[i]);
    while (i < layers.size() && is_digit(layers[i]) && count <= most_layers) count = count * 10 + (layers[i++] - '0');
    require(!name.empty() && (i == layers.size() || layers[i] == ' ' || layers[i] == '['), ErrorCode::config,
            "layers '", layers, "': expected names of mixers with counts, as in \"m3 A m3 A\"");
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
