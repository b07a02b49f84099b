// The models that whole-model and session tests run over: the tiny presets, and for each config in the mixers' own
// cases.json a small model of such layers, so that an option of a mixer is under those laws too.
#pragma once
#include <ostream>

#include "conformance/mixer_run.hpp"
#include "statera/config.hpp"
#include "support/preset.hpp"

namespace statera::test {

struct ModelCase {
  std::string name;  // in letters, digits and _
  ModelConfig config;
  bool surrogate = false;  // as in MixerCase
  friend std::ostream& operator<<(std::ostream& out, const ModelCase& c) { return out << c.name; }
};

inline std::vector<ModelCase> model_cases() {
  std::vector<ModelCase> cases;
  for (std::string name : ModelConfig::presets()) {
    if (!name.starts_with("tiny-")) continue;
    ModelConfig config = preset(name);
    for (char& c : name)
      if (c == '-') c = '_';
    cases.push_back({name, std::move(config)});
  }
  for (const MixerCase& c : mixer_cases()) {
    const std::string name = c.type + "_" + c.name;
    cases.push_back(
        {name,
         ModelConfig::parse("{\"d_model\": " + std::to_string(c.d_model) + ", \"mixers\": {\"m\": " + c.block +
                                "}, \"mlp\": {\"type\": \"swiglu\", \"d_ff\": 24}, \"layers\": \"m4\"}",
                            name),
         c.surrogate});
  }
  const auto add = [&](const std::string& name, const std::string& config) {
    cases.push_back({name, ModelConfig::parse(config, name)});
  };
  const std::string fixed = any_mixer(Keeps::fixed, 16), growing = any_mixer(Keeps::growing, 16);
  // The explicit form: a parallel block, norms on both sides, factors, and what stands in no stream.
  add("blocks", R"({"d_model": 16, "layers": "p2 n", "blocks": {
    "p": [{"name": "mixer", "post_norm": "rms", "mixer": )" +
                    growing + R"(},
          {"name": "mlp", "input": "block", "scale": 0.5, "residual_scale": 0.75, "mixer": {"type": "swiglu",
              "d_ff": 24}}],
    "n": [{"name": "mixer", "residual": "normed", "mixer": )" +
                    fixed + R"(},
          {"name": "last", "norm": "none", "residual": "none", "scale": 2, "mixer": {"type": "swiglu",
              "d_ff": 24}}]}})");
  // What stands before and after the stack, other norms and biases, as in GPT-2 and Gemma 2.
  add("ends", R"({"d_model": 16, "norm": "layer", "learned_positions": 4096, "embedding_scale": 4, "logit_scale": 0.5,
    "logit_softcap": 5, "tied": false, "mixers": {"A": )" +
                  growing + R"(}, "mlp": {"type": "ffn", "d_ff": 24, "bias": true}, "layers": "A2"})");
  // The embedding beside the stream of the first and of a later layer, as in Zamba.
  add("embedding", R"({"d_model": 16, "layers": "z m z", "mixers": {"m": )" + fixed +
                       R"(}, "mlp": {"type": "swiglu", "d_ff": 24}, "blocks": {"z": [
    {"name": "mixer", "with": "embedding", "mixer": )" +
                       growing +
                       R"(}, {"name": "mlp", "with": "embedding", "mixer": {"type": "swiglu", "d_ff": 24}}]}})");
  // One set of weights at several depths, each use with its own state and low-rank addition, as in
  // Zamba2; norms of every kind.
  add("shared", R"({"d_model": 16, "layers": "m s m t", "norm": "rms_plain", "mixers": {"m": )" + fixed +
                    R"(}, "shared": {"A": )" + growing +
                    R"(, "M": {"type": "ffn", "d_ff": 24, "activation": "gelu",
        "gated": true}}, "blocks": {
    "s": [{"name": "attn", "norm": "layer", "mixer": "A", "low_rank": 2}, {"name": "mlp", "norm": "layer_no_bias",
        "mixer": "M"}],
    "t": [{"name": "attn", "norm": "layer_plain", "mixer": "A"}, {"name": "mlp", "post_norm": "rms_plain",
        "mixer": "M", "low_rank": 3}]}})");
  return cases;
}

}  // namespace statera::test
