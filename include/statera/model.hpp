// A language model over bytes or ids: embedding, pre-norm blocks of a sequence mixer and an MLP, a norm, logits.
//
// Thread safety: const calls from several threads are safe, each with its own tape or session. Training changes the
// parameters and is for one thread. A Model is a handle: copies share one config and one set of weights, which live as
// long as any of them. A session has a handle of its own; tapes and optimizers borrow the parameters, so one handle
// must outlive them.
#pragma once
#include <cstdint>
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

namespace statera {

class LanguageModel;

struct ModelOptions {
  DType dtype = DType::f32;  // or f64: the whole model on reference kernels
  bool training = true;      // allocate gradients
  // The matrices of the layers, and the output, in int8 at the fewest; the embedding and what is no matrix stay f32.
  // Unset: as the folder has them, f32 in a new model. int8 and int4 are for inference alone.
  std::optional<WeightFormat> weights = {};
};

// The states at which a training batch ended, detached from its tape: the start of the next batch of the same lanes.
struct CarriedState {
  std::vector<Tensor> slots;       // by slot of the model's state, [S, ...] each; empty: zeros for all
  std::vector<int64_t> positions;  // [clocks * S] that the inner stacks have read; of clock 0 unused
  bool empty() const { return slots.empty(); }
  void clear() { *this = {}; }
};

struct ForwardOptions {
  bool checkpoint = false;                // keep only the borders of blocks and recompute in backward
  const CarriedState* initial = nullptr;  // truncated backpropagation: where the last batch ended
  CarriedState* last = nullptr;  // gets the detached end states of this batch; may be the same object as `initial`
  double dropout = 0;  // the share, in [0, 1), of the embedding and of what each half of a block adds that is zeroed
  uint64_t dropout_seed = 0;           // another one for each batch
  std::vector<Var>* losses = nullptr;  // gets the auxiliary losses of this batch, scalars that are added to the loss
};

class Model {
 public:
  // Throws config for an impossible config, device if the parameters need more memory than is free, unsupported for
  // training or dtype f64 with weights in int8 or int4.
  explicit Model(ModelConfig config, Device device = Device::best(), ModelOptions options = {});

  void init(uint64_t seed);  // the same seed gives the same weights everywhere

  // A folder with config.json and model.safetensors. load throws io or config and names the tensor; without gradients
  // unless asked. It makes int8 and int4 from f32, but nothing from them: a folder saved in one loads in that one
  // alone, not for training (unsupported).
  static Model load(const std::string& folder, Device device = Device::best(),
                    ModelOptions options = {.training = false});
  static WeightFormat saved_weights(const std::string& folder);  // how a folder has them. Throws io, config
  // Makes the folder. Refuses (io) to replace files that statera did not write, and, without `overwrite`, a model.
  void save(const std::string& folder, bool overwrite = true) const;

  // tokens N in all -> logits [N, vocab_size].
  Var forward(Tape&, const Tokens&, const ForwardOptions& = {}) const;

  const ModelConfig& config() const;
  void set_context(int64_t positions);  // what training saw at once; stored in config.json
  const Device& device() const;
  DType dtype() const;
  WeightFormat weights() const;
  double weight_bytes() const;  // of all parameters as they are kept
  std::vector<Parameter*> parameters() const;
  int64_t parameter_count() const;
  // A number of config and weights: another one for other weights. Reads all of them, once after each change.
  uint64_t fingerprint() const;
  LanguageModel& layers() const;  // the modules; for the engine's own rooms

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // null: moved from
};

}  // namespace statera
