// The layers of a config. Each layer is a block, a list of sublayers. "mixers" with "mlp" is the short form, "blocks"
// the explicit one; both become BlockConfigs here.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "statera/fields.hpp"
#include "statera/config.hpp"

namespace statera {

// A sublayer computes x = residual_scale * r + scale * post_norm(mixer(norm(u))).
struct SublayerConfig {
  std::string name;                // of the sublayer, in the names of its parameters: "layers.3.NAME.in_proj.weight"
  std::string norm = "rms";        // before the mixer: a kind of norm (nn/norm.hpp), or "none"
  std::string norm_name;           // in the names of the norm's parameters; empty: NAME_norm
  std::string post_norm = "none";  // after the mixer
  // What u is. "stream": the residual stream. "block": the input of the block, so that the sublayer runs in parallel
  // with those before it.
  std::string input = "stream";
  std::string with;                 // the name of a side value that is concatenated to u; empty: none
  std::string residual = "stream";  // what r is: "stream": the residual stream; "normed": norm(u); "none": 0
  double residual_scale = 1, scale = 1;
  // rank of the adapter B A u that is added to the mixer's result (Hu et al., "LoRA", 2021); 0: none
  int64_t low_rank = 0;
  double lr_scale = 1;  // of all its parameters, those of its norms included
  std::string shared;   // the name of a mixer that other sublayers use too; empty: it has a mixer of its own
  std::string mixer;    // the JSON object of the mixer

  void visit(FieldVisitor& v) {
    v.field("name", name, "name of the sublayer, used in the names of its parameters: layers.3.NAME.in_proj.weight");
    v.field("norm", norm,
            "norm before the mixer: rms, rms_plain (no weight), layer, layer_no_bias, layer_plain (no weight, no bias) "
            "or none");
    v.field("norm_name", norm_name, "name of the norm, used in the names of its parameters; empty: NAME_norm");
    v.field(
        "post_norm", post_norm,
        "norm after the mixer: rms, rms_plain (no weight), layer, layer_no_bias, layer_plain (no weight, no bias) or "
        "none");
    v.field("input", input,
            "input of the sublayer: stream (the residual stream) or block (the input of the block, for parallel "
            "sublayers)");
    v.field(
        "with", with,
        "side value that is concatenated to the input: embedding (the input of the stack, as in Zamba), or one that "
        "an earlier layer sets; empty: none");
    v.field("residual", residual, "what the output is added to: stream, normed (the input after its norm) or none");
    v.field("residual_scale", residual_scale, "the residual is multiplied by this");
    v.field("scale", scale, "the output is multiplied by this");
    v.field("low_rank", low_rank, "rank of a low-rank adapter (LoRA) in parallel to the mixer; 0: none");
    v.field("lr_scale", lr_scale,
            "the learning rate of the sublayer's parameters is multiplied by this; 0 freezes them");
    v.nested("mixer", "null",
             "the mixer, which every sublayer needs: an object with its \"type\", or a name from shared");
  }
};

using BlockConfig = std::vector<SublayerConfig>;

// The blocks of a model, in the order of its layers. Throws ErrorCode::config.
std::vector<BlockConfig> layers_of(const ModelConfig& config);

// Parses the explicit form of one block, a JSON array of sublayers. `shared` are the shared mixers of the config.
// Throws ErrorCode::config.
BlockConfig read_block(const std::string& json, const std::map<std::string, std::string>& shared,
                       const std::string& where);

// "m2 A" -> m, m, A. "m [ A2 ] m" -> m, [ A2 ], m. Throws ErrorCode::config.
std::vector<std::string> layer_names(const std::string& layers);

size_t count_sublayers(const std::vector<BlockConfig>& layers);

// Place::residual_scale for a value of `residual_init` in a model with this many sublayers. Throws ErrorCode::config.
double initial_scale(const std::string& residual_init, size_t sublayers, const std::string& where);

}  // namespace statera
