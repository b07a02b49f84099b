// The channel mixers of most blocks (mlp.md): two matrix products with an activation between them, with or without a
// gate. Ownership and thread safety are those of every Mixer (mixers/mixer.hpp).
#pragma once
#include <string>

#include "statera/fields.hpp"
#include "mixers/mixer.hpp"
#include "nn/linear.hpp"
#include "ops/activation/activation.hpp"

namespace statera {

struct MlpConfig {
  int64_t d_ff = 0;
  std::string activation = "gelu";
  bool gated = false, bias = false;

  void visit(FieldVisitor& v) {
    v.field("d_ff", d_ff, "hidden width of the MLP");
    v.field("activation", activation,
            "activation function: silu, gelu, gelu_tanh, relu, squared_relu, tanh or sigmoid");
    v.field("gated", gated, "gated MLP (GLU): the activation of one projection is multiplied by another projection");
    v.field("bias", bias, "both projections have biases");
  }
};

struct SwigluConfig {
  int64_t d_ff = 0;
  void visit(FieldVisitor& v) { v.field("d_ff", d_ff, "hidden width of the MLP"); }
};

class Mlp : public Mixer {
 public:
  // Throws ErrorCode::config for an unknown key, type or size.
  Mlp(const JsonText& config, const Place& place);
  Var forward(ForwardPass& pass, Var x, const Rows&, const At& at) const override;
  void advance(AdvancePass& pass, const View& x, const Rows&, const At& at, const View& y) const override;
  void visit_parameters(ParameterVisitor&) override;
  Cost cost(Pass, int64_t length, int64_t context) const override;

 protected:
  Mlp(const MlpConfig& config, const Place& place, const std::string& where);

 private:
  MlpConfig config_;
  Activation activation_;
  Linear up_, down_;  // up_ includes the gate, if there is one
};

// The MLP of most models since 2020: gated by silu, without biases (Shazeer, 2020, eq. 6).
class Swiglu : public Mlp {
 public:
  // Throws ErrorCode::config for an unknown key, type or size.
  Swiglu(const JsonText& config, const Place& place);
};

}  // namespace statera
