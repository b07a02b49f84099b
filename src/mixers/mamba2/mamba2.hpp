// The mixer of Mamba-2: parallel projections, a short convolution, the state-space recurrence with one decay per head,
// and a gated norm. See mamba2.md. Ownership and thread safety are those of every Mixer (mixers/mixer.hpp).
#pragma once
#include <limits>

#include "statera/fields.hpp"
#include "mixers/mixer.hpp"
#include "nn/linear.hpp"
#include "ops/gated_rmsnorm/gated_rmsnorm.hpp"
#include "ops/ssd/ssd.hpp"

namespace statera {

struct Mamba2Config {
  int64_t d_state = 64, d_conv = 4, expand = 2, headdim = 64, n_groups = 1, chunk_size = 64;
  double dt_min = 0.001, dt_max = 0.1, dt_init_floor = 1e-4;
  double dt_limit_min = 0, dt_limit_max = std::numeric_limits<double>::infinity();
  double A_init_min = 1, A_init_max = 16;
  double norm_eps = 1e-5;
  int64_t norm_groups = 0;
  bool norm_before_gate = false, conv_bias = true, bias = false;

  void visit(FieldVisitor& v) {
    v.field("d_state", d_state, "state size per channel");
    v.field("d_conv", d_conv, "width of the causal convolution");
    v.field("expand", expand, "inner width divided by d_model");
    v.field("headdim", headdim, "channels per head, a divisor of the inner width");
    v.field("n_groups", n_groups, "number of groups of heads that share B and C");
    v.field("chunk_size", chunk_size, "positions per chunk of the scan; changes speed and rounding only");
    v.field("dt_min", dt_min, "smallest initial step size");
    v.field("dt_max", dt_max, "largest initial step size");
    v.field("dt_init_floor", dt_init_floor, "lower bound of the initial step sizes, whatever dt_min is");
    v.field("dt_limit_min", dt_limit_min, "lower clamp of the step sizes");
    v.field("dt_limit_max", dt_limit_max, "upper clamp of the step sizes");
    v.field("A_init_min", A_init_min, "smallest initial decay rate -A");
    v.field("A_init_max", A_init_max, "largest initial decay rate -A");
    v.field("norm_eps", norm_eps, "epsilon of the gated RMS norm");
    v.field("norm_groups", norm_groups, "number of groups that the gated RMS norm is taken over; 0: n_groups");
    v.field("norm_before_gate", norm_before_gate,
            "normalises before the gate, norm(y) silu(z), instead of after it, norm(y silu(z))");
    v.field("conv_bias", conv_bias, "the convolution has a bias");
    v.field("bias", bias, "the projections have biases");
  }
  // Reads and checks a config and fills in norm_groups where it is 0. Throws ErrorCode::config for an unknown key, a
  // wrong type or a value out of range.
  static Mamba2Config read(const JsonText& config, int64_t d_model);
};

class Mamba2 : public Mixer {
 public:
  // Throws what Mamba2Config::read throws.
  Mamba2(const JsonText& config, const Place& place);
  Var forward(ForwardPass& pass, Var x, const Rows&, const At& at) const override;
  void advance(AdvancePass& pass, const View& x, const Rows&, const At& at, const View& y) const override;
  void declare(SlotScope slots) const override;
  void visit_parameters(ParameterVisitor&) override;
  Cost cost(Pass, int64_t length, int64_t context) const override;

 private:
  Mamba2Config config_;
  int64_t d_inner_, n_heads_, conv_dim_;  // conv_dim_: width of x | B | C, which the convolution filters
  SsdOptions ssd_;
  GatedRmsnormOptions norm_;
  Linear in_proj_, out_proj_;
  Parameter conv_weight_, conv_bias_, dt_bias_, A_log_, D_, norm_weight_;
};

}  // namespace statera
