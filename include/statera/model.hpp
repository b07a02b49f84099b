// A language model over bytes or ids: an embedding, a stack of blocks, a norm and logits. In the usual block a sequence
// mixer and an MLP each follow a norm.
//
// Ownership: a Model is a handle. Copies share one config and one set of weights, which live as long as any of them. A
// Session holds a handle of its own. Tapes and optimizers borrow the parameters, so keep a handle for as long as they
// live.
//
// Thread safety: const members may be called from several threads at once, each with its own tape or session. init(),
// training, set_context() and set_units() change the shared data: nothing else may use the model meanwhile.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "statera/config.hpp"
#include "statera/device.hpp"
#include "statera/parameter.hpp"
#include "statera/tape.hpp"
#include "statera/tensor.hpp"
#include "statera/tokens.hpp"
#include "statera/units.hpp"

namespace statera {

class LanguageModel;

struct ModelOptions {
  DType dtype = DType::f32;  // or f64, where the whole model runs on reference kernels
  bool training = true;      // whether to allocate gradients
  // How the matrices of the layers and tables of n-grams are stored: f32, int8 or int4. The output matrix has at least
  // 8 bits; the embedding and all other parameters stay f32. int8 and int4 are for inference only. Unset: as in the
  // folder, f32 in a new model.
  std::optional<WeightFormat> weights = {};
  // Model::load reads the tokenizer.json of a model over tokens with this: token_units (statera/tokenizer.hpp). Null:
  // such a model reads ids only.
  std::function<std::shared_ptr<const Units>(std::string file, const std::string& where)> tokenizer = {};
};

// The states at the end of a training batch, detached from its tape. The next batch of the same lanes starts from them.
struct CarriedState {
  std::vector<Tensor> slots;  // one per slot of the model's state, [S, ...] each; empty: all zeros
  // [clocks * S] positions that each inner stack has read; the entries of clock 0 are not used
  std::vector<int64_t> positions;
  bool empty() const { return slots.empty(); }
  void clear() { *this = {}; }
};

struct ForwardOptions {
  // activation checkpointing: keep only the inputs of blocks and recompute the rest in backward
  bool checkpoint = false;
  // for truncated backpropagation: where the last batch ended; null: zero states
  const CarriedState* initial = nullptr;
  CarriedState* last = nullptr;  // receives the end states of this batch, detached; may be the same object as `initial`
  double dropout = 0;  // probability, in [0, 1), of zeroing an element of the embedding and of what each sublayer adds
  uint64_t dropout_seed = 0;           // use another one for each batch
  std::vector<Var>* losses = nullptr;  // receives the auxiliary losses of this batch, scalars to add to the loss
  // receives how much each inner stack read in this batch, in the order of the layers, outer ones first
  std::vector<InnerRows>* inner_rows = nullptr;
  double progress = 1;  // how much of the training is done, 0 to 1: some auxiliary losses have targets that move
};

class Model {
 public:
  // Throws ErrorCode::config for an invalid config, ErrorCode::device if the parameters need more memory than is free,
  // and ErrorCode::unsupported for training or f64 with weights in int8 or int4.
  explicit Model(ModelConfig config, Device device = Device::best(), ModelOptions options = {});

  void init(uint64_t seed);  // initialises the weights; the same seed gives the same weights on every machine

  // Loads a folder with config.json and model.safetensors; without gradients unless `options` asks for them. f32
  // weights can be quantised while loading. A folder saved in int8 or int4 loads in that format only, and not for
  // training (ErrorCode::unsupported). Throws ErrorCode::io or ErrorCode::config, naming the tensor, if the folder is
  // not valid.
  static Model load(const std::string& folder, Device device = Device::best(),
                    ModelOptions options = {.training = false});
  // What the model reads. A new model with 256 ids reads bytes; one with another number reads ids, until it is told
  // what they mean. Saved with the model. set_units() throws ErrorCode::config if the number of ids is not vocab_size.
  const std::shared_ptr<const Units>& units() const;
  void set_units(std::shared_ptr<const Units> units);
  bool reads_bytes() const;  // whether the ids are the 256 bytes

  // The format that the weights of a folder are stored in. Throws ErrorCode::io or ErrorCode::config.
  static WeightFormat saved_weights(const std::string& folder);
  // Creates the folder if needed. Throws ErrorCode::io rather than replace a file that statera did not write, or,
  // without `overwrite`, a model.
  void save(const std::string& folder, bool overwrite = true) const;

  // N ids of all sequences together -> logits [N, vocab_size]. Throws ErrorCode::shape if the offsets do not fit the
  // ids, an id is out of range, or ForwardOptions::initial is not a state of these sequences.
  Var forward(Tape&, const Tokens&, const ForwardOptions& = {}) const;

  const ModelConfig& config() const;
  void set_context(int64_t positions);  // the length of the sequences in training; saved in config.json
  const Device& device() const;
  DType dtype() const;
  WeightFormat weights() const;
  double weight_bytes() const;  // bytes of all parameters as a file stores them
  std::vector<Parameter*> parameters() const;
  int64_t parameter_count() const;
  // A hash of config and weights. The first call after a change reads all weights.
  uint64_t fingerprint() const;

 private:
  friend LanguageModel& modules_of(const Model&);  // models/language_model.hpp: the modules
  struct Impl;
  std::shared_ptr<Impl> impl_;  // null after a move
};

}  // namespace statera
