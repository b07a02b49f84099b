// What stands in a config's layers: each layer is a block, a list of sublayers. "mixers" and "mlp" are the short form,
// "blocks" the explicit one; both end here.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/fields.hpp"
#include "statera/config.hpp"

namespace statera {

// x = residual_scale * r + scale * post_norm(mixer(norm(u)))
struct SublayerConfig {
  std::string name;                 // of its parameters: "layers.3.NAME.in_proj.weight"
  std::string norm = "rms";         // before the mixer: a kind of norm (nn/norm.hpp) or none
  std::string norm_name;            // of its parameters; empty: NAME_norm
  std::string post_norm = "none";   // behind it
  std::string input = "stream";     // u: the stream; block: what came into the block, so that the sublayer stands in
                                    // parallel with those before it
  std::string with;                 // a side value that is joined to u, which is then wider; empty: none
  std::string residual = "stream";  // r: the stream; normed: norm(u); none: 0
  double residual_scale = 1, scale = 1;
  int64_t low_rank = 0;  // rank of what is added to the mixer's result: B A u (Hu et al., "LoRA", 2021); 0: nothing
  double lr_scale = 1;   // of all its parameters, its norms' too
  std::string shared;    // the name of a mixer whose weights other sublayers use too; empty: its own
  std::string mixer;     // its JSON object

  void visit(FieldVisitor& v) {
    v.field("name", name, "name of the sublayer, used in the names of its parameters: layers.3.NAME.in_proj.weight");
    v.field("norm", norm,
            "norm before the mixer: rms, rms_plain (no weight), layer, layer_no_bias, layer_plain (no weight, no bias) "
            "or none");
    v.field("norm_name", norm_name, "name of the norm, used in the names of its parameters; empty: NAME_norm");
    v.field("post_norm", post_norm, "norm after the mixer; the same values as norm");
    v.field("input", input,
            "input of the sublayer: stream (the residual stream) or block (the input of the block, for parallel "
            "sublayers)");
    v.field("with", with,
            "name of a side value that is concatenated to the input, as the embedding in Zamba; empty: none");
    v.field("residual", residual, "what the output is added to: stream, normed (the input after its norm) or none");
    v.field("residual_scale", residual_scale, "the residual is multiplied by this");
    v.field("scale", scale, "the output is multiplied by this");
    v.field("low_rank", low_rank, "rank of a low-rank adapter (LoRA) in parallel to the mixer; 0: none");
    v.field("lr_scale", lr_scale,
            "the learning rate of the sublayer's parameters is multiplied by this; 0 freezes them");
  }
};

using BlockConfig = std::vector<SublayerConfig>;

// The blocks of a model in the order of its layers. Throws config.
std::vector<BlockConfig> layers_of(const ModelConfig& config);

// One block from its explicit form, a JSON array of sublayers; `shared` are the config's. Throws config.
BlockConfig read_block(const std::string& json, const std::map<std::string, std::string>& shared,
                       const std::string& where);

// "m2 A" -> m, m, A. Throws config.
std::vector<std::string> layer_names(const std::string& layers);

// The residual_scale of a Place: what `residual_init` stands for in a model with so many sublayers. Throws config.
double initial_scale(const std::string& residual_init, size_t sublayers, const std::string& where);

}  // namespace statera
