#include "import/hnet/hnet.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "io/json.hpp"
#include "models/layer_config.hpp"

namespace statera {

namespace {
using nlohmann::json;

// Their config, with an error for each key that nobody reads.
class Keys {
 public:
  Keys(const json& object, std::string where) : object_(object), where_(std::move(where)) {}
  const json& at(const char* key) {
    require(object_.contains(key), ErrorCode::config, where_, ": '", key, "' is missing");
    read_.push_back(key);
    return object_[key];
  }
  int64_t number(const char* key, int64_t usual, int64_t least = 1) {
    return object_.contains(key) ? whole(key, at(key), least) : usual;
  }
  bool flag(const char* key, bool usual) {
    if (!object_.contains(key)) return usual;
    const json& value = at(key);
    require(value.is_boolean(), ErrorCode::config, where_, ": '", key, "' is ", value.dump(),
            ", expected true or false");
    return value;
  }
  // The entry for one stage of a list that has one for each.
  int64_t of_stage(const char* key, size_t stage, size_t stages, int64_t least = 1) {
    const json& list = at(key);
    require(list.is_array() && list.size() == stages, ErrorCode::config, where_, ": '", key, "' is no list with ",
            stages, " entries, one for each stage");
    return whole(key, list[stage], least);
  }
  void all_read() const {
    for (const auto& [key, value] : object_.items())
      require(std::ranges::find(read_, key) != read_.end(), ErrorCode::unsupported, where_, ": '", key,
              "' is not known to this importer");
  }

 private:
  int64_t whole(const char* key, const json& value, int64_t least) const {
    constexpr int64_t most = 1 << 24;
    const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= static_cast<uint64_t>(most)
                                                 : value.is_number_integer() && value.get<int64_t>() <= most;
    require(fits && value.get<int64_t>() >= least, ErrorCode::config, where_, ": '", key, "' has ", value.dump(),
            ", expected a whole number from ", least, " to ", most);
    return value;
  }
  const json& object_;
  std::string where_;
  std::vector<std::string> read_;
};

// "T1m1" -> "T1 m1"
std::string spaced(const std::string& layout, const std::string& where) {
  std::string text;
  bool counted = true;  // a letter may follow
  for (const char c : layout) {
    const bool digit = c >= '0' && c <= '9', letter = std::string_view("mMtT").find(c) != std::string_view::npos;
    require(digit || (letter && counted), ErrorCode::unsupported, where, ": arch_layout has '", layout,
            "'; expected letters m, M, t, T, each with a count");
    if (letter && !text.empty()) text += ' ';
    text += c;
    counted = digit;
  }
  require(counted && !layout.empty(), ErrorCode::unsupported, where, ": arch_layout has '", layout,
          "'; expected letters m, M, t, T, each with a count");
  return text;
}

// ["m4", ["T8"], "m4"] -> "m4 [ T8 ] m4". Counts the stages.
std::string layers_of_layout(const json& layout, const std::string& where, size_t& stages) {
  ++stages;
  require(layout.is_array() && (layout.size() == 1 || layout.size() == 3) && stages <= 8 &&
              layout.front().is_string() && layout.back().is_string(),
          ErrorCode::unsupported, where, ": arch_layout is ", layout.dump(),
          ", expected [\"T8\"] or [\"m4\", [...], \"m4\"]");
  const std::string first = spaced(layout.front(), where);
  if (layout.size() == 1) return first;
  const std::string inner = layers_of_layout(layout[1], where, stages);
  return first + " [ " + inner + " ] " + spaced(layout[2], where);
}

// The four kinds of layers at a stage: an upper-case letter has an MLP.
json blocks_of(Keys& config, Keys& ssm, Keys& attention, size_t stage, size_t stages) {
  const json scan = {{"type", "mamba2"},
                     {"d_state", ssm.number("d_state", 128)},
                     {"d_conv", ssm.number("d_conv", 4)},
                     {"expand", ssm.number("expand", 2)},
                     {"headdim", ssm.number("headdim", 64)}};
  ssm.number("chunk_size", 256);  // changes no number
  const int64_t rotary = attention.of_stage("rotary_emb_dim", stage, stages, 0),
                window = attention.of_stage("window_size", stage, stages, -1);
  json heads = {{"type", "attention"},
                {"n_heads", attention.of_stage("num_heads", stage, stages)},
                {"rope", rotary > 0},
                {"window", window < 0 ? 0 : window + 1}};  // theirs counts the keys before the query's own
  if (rotary > 0) heads["rotary_dim"] = rotary;
  constexpr int64_t multiple = 128;
  const int64_t hidden = (config.of_stage("d_intermediate", stage, stages, 0) + multiple - 1) / multiple * multiple;
  json blocks;
  for (const auto& [letter, mixer] : {std::pair("m", scan), {"t", heads}})
    blocks[letter] = json::array({{{"name", "mixer"}, {"norm_name", "norm"}, {"mixer", mixer}}});
  for (const auto& [letter, plain] : {std::pair("M", "m"), {"T", "t"}}) {
    if (hidden == 0) continue;  // no such layer there
    blocks[letter] = blocks[plain];
    blocks[letter].push_back({{"name", "mlp"}, {"mixer", {{"type", "swiglu"}, {"d_ff", hidden}}}});
  }
  return blocks;
}

ModelConfig config_of(const JsonText& text) {
  const json theirs = parse_json(text.text, text.where);
  Keys keys(theirs, text.where), ssm(keys.at("ssm_cfg"), text.where + ": ssm_cfg"),
      attention(keys.at("attn_cfg"), text.where + ": attn_cfg");
  size_t stages = 0;
  const std::string layers = layers_of_layout(keys.at("arch_layout"), text.where, stages);
  json ours = {{"format_version", ModelConfig::newest_format},
               {"layers", layers},
               {"d_model", keys.of_stage("d_model", 0, stages)},
               {"vocab_size", keys.number("vocab_size", 256)},
               {"begin", false},
               {"tied", keys.flag("tie_embeddings", false)},
               {"blocks", blocks_of(keys, ssm, attention, 0, stages)}};
  for (size_t stage = 1; stage < stages; ++stage)
    ours["inner"].push_back({{"type", "hnet"},
                             {"stack",
                              {{"d_model", keys.of_stage("d_model", stage, stages)},
                               {"blocks", blocks_of(keys, ssm, attention, stage, stages)}}}});
  for (const Keys* all : {&keys, &ssm, &attention}) all->all_read();
  return ModelConfig::parse(ours.dump(), text.where);
}

// What follows "layers.3." in the names of a plain layer.
TheirTensor plain_layer(const std::string& prefix, const std::string& name) {
  static const std::pair<std::string_view, std::string_view> renamed[] = {
      {"norm.weight", "norm1.weight"},
      {"mlp_norm.weight", "norm2.weight"},
      {"mlp.gate_up.weight", "mlp.fc1.weight"},
      {"mlp.down.weight", "mlp.fc2.weight"},
      {"mixer.qkv_proj.weight", "mixer.Wqkv.weight"},
      {"mixer.o_proj.weight", "mixer.out_proj.weight"},
  };
  for (const auto& [ours, theirs] : renamed)
    if (name == ours) return {prefix + std::string(theirs), name == "mlp.gate_up.weight"};  // theirs has the gate last
  return {prefix + name};
}

// `name` is of a stack with these layers, "layers.3.mixer.D"; `at` is where the stack stands in their module tree.
TheirTensor in_stack(const std::string& layers, const std::string& name, const std::string& at) {
  const std::vector<std::string> names = layer_names(layers);
  const auto bracket = std::ranges::find_if(names, [](const std::string& n) { return n.front() == '['; });
  const auto inner = static_cast<size_t>(bracket - names.begin());
  constexpr std::string_view start = "layers.";
  const size_t dot = name.find('.', start.size());
  const size_t layer = std::stoul(name.substr(start.size(), dot - start.size()));
  const std::string rest = name.substr(dot + 1);
  const auto in = [&](const char* part, size_t number) {
    return plain_layer(at + part + "layers." + std::to_string(number) + ".", rest);
  };
  if (bracket == names.end()) return in("main_network.", layer);
  if (layer < inner) return in("encoder.", layer);
  if (layer > inner) return in("decoder.", layer - inner - 1);
  if (rest == "inner_norm.weight") return {at + "encoder.rmsnorm.weight"};
  const std::string part = rest.substr(std::string_view("inner.").size()),
                    within = names[inner].substr(1, names[inner].size() - 2);
  if (part == "pad") return {at + "main_network.pad_dimension"};
  if (part == "q_proj.weight" || part == "k_proj.weight")
    return {at + "routing_module." + part.substr(0, 1) + "_proj_layer.weight"};
  if (part == "norm.weight")
    return {at + "main_network." + (within.find('[') == std::string::npos ? "main_network" : "decoder") +
            ".rmsnorm.weight"};
  if (part.starts_with(start)) return in_stack(within, part, at + "main_network.");
  return {at + part};
}

TheirTensor tensor_of(const ModelConfig& config, const std::string& ours) {
  if (ours == "embedding.weight") return {"embeddings.weight"};
  if (ours == "output.weight") return {"lm_head.weight"};
  if (ours == "norm.weight") return {"backbone.decoder.rmsnorm.weight"};
  return in_stack(config.layers, ours, "backbone.");
}

bool knows(const JsonText& config) {
  const json object = parse_json(config.text, config.where);
  return object.is_object() && object.contains("arch_layout");
}

// A tied output stands in their files a second time.
std::string repeated(const ModelConfig& config, const std::string& theirs) {
  return config.tied && theirs == "lm_head.weight" ? "embeddings.weight" : "";
}
}  // namespace

const Importer hnet_importer{"hnet", knows, config_of, tensor_of, repeated};

}  // namespace statera
