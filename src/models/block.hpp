// The pre-norm block: x += mixer(norm(x)); x += mlp(norm(x)), the second half only where the config has an MLP.
#pragma once
#include <memory>
#include <optional>

#include "mixers/mixer.hpp"
#include "nn/mlp.hpp"
#include "nn/norm.hpp"
#include "ops/dropout/dropout.hpp"
#include "statera/config.hpp"

namespace statera {

class Block {
 public:
  Block(const ModelConfig& config, const JsonText& mixer, int layer);

  Var forward(Tape& tape, Var x, const Rows& rows, const StateVars* initial, StateVars* last, const Dropout& drop) const;
  void advance(Context& context, const View& x, const Rows& rows, std::span<State* const> states) const;  // x changes in place
  void visit_parameters(ParameterVisitor& visitor);
  const Mixer& mixer() const { return *mixer_; }
  double mlp_flops() const { return mlp_ ? mlp_->mlp.flops() : 0; }

 private:
  struct MlpHalf {
    Norm norm;
    Mlp mlp;
  };
  std::string mixer_scope_, mlp_scope_;
  Norm norm_;
  std::unique_ptr<Mixer> mixer_;
  std::unique_ptr<MlpHalf> mlp_;
};

}  // namespace statera
