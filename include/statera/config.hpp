// ModelConfig describes a model: its widths, its mixers by name, and the order of its layers. This is the short form:
//
//   {"format_version": 1, "d_model": 256,
//    "mixers": {"m": {"type": ..., "d_state": 64}, "A": {"type": ..., "n_heads": 8}},
//    "mlp": {"type": ..., "d_ff": 768}, "layers": "m3 A m3 A"}
//
// Here every layer is a block of two sublayers: a mixer and the MLP. Any other block is written out as a list of
// sublayers under "blocks", and "layers" names it too:
//
//    "blocks": {"P": [{"name": "attn", "mixer": {"type": ...}},
//                     {"name": "mlp", "input": "block", "mixer": {"type": ...}}]}
//
// Brackets in "layers" are an inner stack, which reads segments of the sequence instead of its positions. "inner" says
// by depth what cuts the sequence, and what differs within:
//
//    "layers": "m4 [ T4 ] m4", "inner": [{"type": ..., "ratio": 6, "stack": {"d_model": 384}}]
//
// A ModelConfig is a plain value. Distinct objects may be used from distinct threads.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "statera/fields.hpp"

namespace statera {

struct ModelConfig {
  // visit() and the registry of mixers say which format added what
  static constexpr int64_t newest_format = 3;

  int64_t format_version = 1;  // as it was read; json() writes the oldest version that has all keys it needs
  int64_t d_model = 0;
  int64_t vocab_size = 256;  // the ids that the model predicts
  // whether there is one more input id, `vocab_size`, that stands before each document and is never predicted
  bool begin = true;
  bool tied = true;  // whether the output matrix is the embedding matrix
  double norm_eps = 1e-5;
  // how the matrices that write into the residual stream are initialised: "scaled", "plain" or "zero"
  std::string residual_init = "scaled";
  int64_t context = 0;                        // the length of the sequences in training; 0: not trained yet
  std::string layers;                         // the names of the layers in order, with counts: "m3 A m3 A"
  std::map<std::string, std::string> mixers;  // name -> JSON object of a mixer; the mixer parses it
  std::string mlp;                            // JSON object of the MLP that follows each of "mixers"; empty: no MLP
  std::map<std::string, std::string> blocks;  // name -> JSON array of sublayers
  // name -> JSON object of a mixer that several sublayers of "blocks" share, weights included
  std::map<std::string, std::string> shared;
  // JSON objects of the mixers that brackets in "layers" stand for, by the depth of the bracket
  std::vector<std::string> inner;
  std::string norm = "rms";       // kind of the norms before "mixers", before "mlp" and before the output
  int64_t learned_positions = 0;  // rows of the table of learned position embeddings; 0: no table
  double embedding_scale = 1;     // the embedding is multiplied by it
  double logit_scale = 1;         // the logits are multiplied by it
  double logit_softcap = 0;       // c: the logits become c tanh(logits / c); 0: no cap
  std::string where = "config";   // the file or preset that the config came from; used in messages

  // Loads a preset by its name ("small-hybrid"), or a JSON file or a model folder by its path. "small-hybrid+NAME"
  // adds a layer before the others (additions()). Throws ErrorCode::config for an invalid config (an unknown key is
  // invalid), ErrorCode::io for a file that cannot be read.
  static ModelConfig load(const std::string& preset_or_path);
  // The same from JSON text; `where` names its source in messages. Throws ErrorCode::config.
  static ModelConfig parse(const std::string& json, const std::string& where);
  static std::vector<std::string> presets();    // the names that load() knows
  static std::vector<std::string> additions();  // what may follow a "+" (src/mixers/NAME/addition.json)

  std::string json() const;  // parse(json()) gives an equal config
  // The JSON objects of the mixers of each layer. Throws ErrorCode::config.
  std::vector<std::vector<std::string>> layer_mixers() const;
  void visit(FieldVisitor&);  // visits the plain fields; names mixers, mlp, blocks, shared and inner
  // visits the fields that format 1 lacks; json() leaves them out where they have their defaults
  void visit_added(FieldVisitor&);
  static void visit_keys(
      KeyVisitor&);  // visits every key that a config may have, with its default (statera/fields.hpp)
};

}  // namespace statera
