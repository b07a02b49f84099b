// What a model is: widths, the mixers by name, and the order of the layers.
//
//   {"format_version": 1, "d_model": 256, "mixers": {"m": {"type": ..., "d_state": 64}, "A": {"type": ..., "n_heads":
//   8}},
//    "mlp": {"type": ..., "d_ff": 768}, "layers": "m3 A m3 A"}
//
// That is short for blocks of two sublayers. Other blocks are written out, as lists of sublayers, and named in "layers"
// too:
//
//    "blocks": {"P": [{"name": "attn", "mixer": {"type": ...}}, {"name": "mlp", "input": "block", "mixer": {"type":
//    ...}}]}
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace statera {

class FieldVisitor;
class KeyVisitor;

struct ModelConfig {
  static constexpr int64_t newest_format = 2;  // 2: blocks, and the keys of visit_added()

  int64_t format_version = 1;  // of what was read; json() writes the oldest that has every key it needs
  int64_t d_model = 0;
  int64_t vocab_size = 256;  // ids that are predicted
  bool begin = true;         // one more input id, `vocab_size`, that stands before a document and is never predicted
  bool tied = true;          // the output matrix is the embedding
  double norm_eps = 1e-5;
  // how the matrices that write into the residual stream start: scaled, plain or zero
  std::string residual_init = "scaled";
  int64_t context = 0;                        // positions that training saw at once; 0: not trained yet
  std::string layers;                         // names of mixers with counts: "m3 A m3 A"
  std::map<std::string, std::string> mixers;  // name -> its own JSON object, which the mixer reads
  std::string mlp;                            // the JSON object of the MLP behind each of them; empty: none
  std::map<std::string, std::string> blocks;  // name -> JSON array of sublayers
  // name -> JSON object of a mixer whose weights several sublayers of the blocks use
  std::map<std::string, std::string> shared;
  std::string norm = "rms";       // of "mixers", of "mlp" and before the output
  int64_t learned_positions = 0;  // rows of a table that is added to the embedding; 0: none
  double embedding_scale = 1;     // factor of the embedding
  double logit_scale = 1;         // factor of the logits
  double logit_softcap = 0;       // c: the logits are c tanh(logits / c); 0: no cap
  std::string where = "config";   // the file or preset it came from, for messages

  // A preset's name ("small-hybrid") or the path of a JSON file or of a model folder. Throws config or io; unknown keys
  // are errors.
  static ModelConfig load(const std::string& preset_or_path);
  static ModelConfig parse(const std::string& json, const std::string& where);
  static std::vector<std::string> presets();

  std::string json() const;  // parse(json()) gives an equal config
  // the JSON objects of the mixers of each layer. Throws config
  std::vector<std::vector<std::string>> layer_mixers() const;
  void visit(FieldVisitor&);        // the plain fields; mixers, mlp, blocks and shared are objects of their own
  void visit_added(FieldVisitor&);  // those of them that format 1 did not have; written where they are not the defaults
  static void visit_keys(KeyVisitor&);  // every key that a config may have, with defaults: core/fields.hpp
};

}  // namespace statera
