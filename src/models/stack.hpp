// A stack of blocks without embedding and output: the inside of a language model, or of a mixer. A block is a list of
// sublayers. A sublayer is a norm, a mixer, and how its result joins the residual stream (layer_config.hpp).
//
// Ownership: a Stack owns its blocks, and these their sublayers, norms and mixers. It runs the clock of its positions:
// it reserves room in the states and sets their positions. Thread safety: const members may be called from several
// threads, each with its own pass.
#pragma once
#include <memory>
#include <optional>

#include "mixers/mixer.hpp"
#include "models/layer_config.hpp"
#include "nn/linear.hpp"
#include "nn/norm.hpp"

namespace statera {

class Sublayer {
 public:
  // `place` is the block's: width, layer and the scope "layers.3".
  Sublayer(const SublayerConfig& config, double norm_eps, const Place& place, const std::string& where);

  // x [N, d] is the residual stream, block_input [N, d] what came into the block. Returns the new residual stream.
  Var forward(ForwardPass& pass, Var x, Var block_input, const Rows& rows, const At& at) const;
  // Updates x in place.
  void advance(AdvancePass& pass, const View& x, const View& block_input, const Rows& rows, const At& at) const;
  void declare(SlotScope slots) const { mixer_->declare(slots.inner(config_.name)); }
  void visit_parameters(ParameterVisitor& visitor);
  const Mixer& mixer() const { return *mixer_; }
  double flops(Pass pass) const;  // per position, without the mixer
  bool reads_block_input() const { return config_.input == "block"; }

 private:
  Mixer* shared_mixer(const Place& place, const std::string& where);
  Var join(ForwardPass& pass, Var x, Var y) const;

  SublayerConfig config_;
  std::string scope_;
  int64_t width_;               // columns of what the mixer reads
  std::optional<size_t> with_;  // index of the side value that is concatenated to its input
  std::optional<Norm> norm_, post_norm_;
  std::unique_ptr<Mixer> own_;  // null: the mixer is a shared one, which the stack owns
  Mixer* mixer_;
  bool shows_mixer_ = true;  // whether it visits the mixer's parameters: for a shared mixer only the first user does
  std::optional<Linear> low_a_, low_b_;  // the adapter of low_rank
};

class Block {
 public:
  Block(const BlockConfig& config, double norm_eps, const Place& place, const std::string& where);

  Var forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const;
  void advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at) const;  // updates x in place
  void declare(SlotScope slots) const;
  void visit_parameters(ParameterVisitor& visitor);
  At behind(At at) const;  // where the slots of the next block begin
  const std::vector<std::unique_ptr<Sublayer>>& sublayers() const { return sublayers_; }
  const SideValues::Used& side() const { return side_; }
  std::pair<size_t, size_t> losses() const { return losses_; }  // the indices [first, second) of its auxiliary losses

 private:
  std::vector<std::unique_ptr<Sublayer>> sublayers_;
  std::vector<At> offsets_;  // of each sublayer's slots, relative to the block's
  SideValues::Used side_;
  std::pair<size_t, size_t> losses_;
};

class Stack {
 public:
  // The stack's input is the side value "embedding" for sublayers that read it.
  // `place` gives the width (d_in equals d_out), the prefix of the layers' names ("" or "layers.3.inner."), how mixers
  // are made and where losses are listed.
  Stack(const std::vector<BlockConfig>& layers, double norm_eps, const Place& place, const std::string& where);

  // `checkpoint`: keep only the inputs of blocks and run each block again in backward.
  Var forward(ForwardPass& pass, Var x, const Rows& rows, const At& at, bool checkpoint = false) const;
  // On entry the positions of the states by `clock` equal rows.start; on return they include the rows. Updates x in
  // place.
  void advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at, size_t clock) const;
  void declare(SlotScope slots) const;
  void visit_parameters(ParameterVisitor& visitor);
  const std::vector<std::unique_ptr<Block>>& blocks() const { return blocks_; }
  Cost cost(Pass pass, int64_t length, int64_t context) const;

 private:
  Var forward_checkpointed(ForwardPass& pass, const Block& block, Var x, const Rows& rows, const At& at,
                           const At& end) const;

  SharedMixers shared_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<At> offsets_;  // of each block's slots, relative to the stack's; the last entry is the end
  SideValues side_;
  std::optional<size_t> embedding_;  // index of the side value that is the stack's input, if a sublayer reads it
};

// The first position that a query can still see in a slot with this window, after `rows` positions. max_keys is that of
// AdvancePass.
int64_t first_looked_at(int64_t window, int64_t rows, int64_t max_keys);

}  // namespace statera
