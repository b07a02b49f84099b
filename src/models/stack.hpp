// Blocks of sublayers, without what stands before and behind them: the inside of a language model, or of a mixer. A
// sublayer is a norm, a mixer and the way its result joins the residual stream; see layer_config.hpp.
//
// A stack owns the clock of its positions: it reserves room in the states and moves their position on. Const calls from
// several threads are safe.
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
  // `place` is the stack's: width, layer, scope "layers.3".
  Sublayer(const SublayerConfig& config, double norm_eps, const Place& place, const std::string& where);

  // x [N, d], what came into the block [N, d] -> the stream behind it.
  Var forward(ForwardPass& pass, Var x, Var block_input, const Rows& rows, const At& at) const;
  // x changes in place
  void advance(AdvancePass& pass, const View& x, const View& block_input, const Rows& rows, const At& at) const;
  void declare(SlotScope slots) const { mixer_->declare(slots.inner(config_.name)); }
  void visit_parameters(ParameterVisitor& visitor);
  const Mixer& mixer() const { return *mixer_; }
  double flops(Pass pass) const;  // of one position, without the mixer
  bool reads_block_input() const { return config_.input == "block"; }

 private:
  Mixer* shared_mixer(const Place& place, const std::string& where);
  Var join(ForwardPass& pass, Var x, Var y) const;

  SublayerConfig config_;
  std::string scope_;
  int64_t width_;               // of what the mixer reads
  std::optional<size_t> with_;  // the side value that is joined to it
  std::optional<Norm> norm_, post_norm_;
  std::unique_ptr<Mixer> own_;  // null: the stack's, which others use too
  Mixer* mixer_;
  bool shows_mixer_ = true;              // its parameters: those of a shared one are shown by the first that uses it
  std::optional<Linear> low_a_, low_b_;  // low_rank
};

class Block {
 public:
  Block(const BlockConfig& config, double norm_eps, const Place& place, const std::string& where);

  Var forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const;
  void advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at) const;  // x changes in place
  void declare(SlotScope slots) const;
  void visit_parameters(ParameterVisitor& visitor);
  At behind(At at) const;  // where the next block's slots begin
  const std::vector<std::unique_ptr<Sublayer>>& sublayers() const { return sublayers_; }
  const SideValues::Used& side() const { return side_; }
  std::pair<size_t, size_t> losses() const { return losses_; }  // numbers, from and to

 private:
  std::vector<std::unique_ptr<Sublayer>> sublayers_;
  std::vector<At> offsets_;  // of each sublayer's slots, from the block's
  SideValues::Used side_;
  std::pair<size_t, size_t> losses_;
};

class Stack {
 public:
  // `place` says its width (d_in, d_out are one), the prefix of its layers ("" or "layers.3.inner."), how mixers are
  // made and where losses are listed.
  Stack(const std::vector<BlockConfig>& layers, double norm_eps, const Place& place, const std::string& where);

  // `checkpoint`: keep only the borders of blocks, and run each again in backward.
  Var forward(ForwardPass& pass, Var x, const Rows& rows, const At& at, bool checkpoint = false) const;
  // The states' positions by `clock` equal rows.start; afterwards they are behind the rows. x changes in place.
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
  std::vector<At> offsets_;  // of each block's slots, from the stack's; one more for the end
  SideValues side_;
};

// The first position that is still looked at, of a slot with this window, behind `rows` positions; max_keys is as in
// AdvancePass.
int64_t first_looked_at(int64_t window, int64_t rows, int64_t max_keys);

}  // namespace statera
