// The mixer of Mamba-1: a short convolution, then the selective scan, with one decay per channel and state. See
// mamba1.md. Ownership and thread safety are those of every Mixer (mixers/mixer.hpp).
#pragma once
#include "statera/fields.hpp"
#include "mixers/mamba1/scan_a.hpp"
#include "mixers/mixer.hpp"
#include "nn/linear.hpp"

namespace statera {

struct Mamba1Config {
  int64_t d_state = 16, d_conv = 4, expand = 2, dt_rank = 0;
  double dt_min = 0.001, dt_max = 0.1, dt_init_floor = 1e-4;
  bool conv_bias = true, bias = false;

  void visit(FieldVisitor& v) {
    v.field("d_state", d_state, "state size per channel");
    v.field("d_conv", d_conv, "width of the causal convolution");
    v.field("expand", expand, "inner width divided by d_model");
    v.field("dt_rank", dt_rank, "rank of the projection to the step sizes; 0: d_model / 16, rounded up");
    v.field("dt_min", dt_min, "smallest initial step size");
    v.field("dt_max", dt_max, "largest initial step size");
    v.field("dt_init_floor", dt_init_floor, "lower bound of the initial step sizes, whatever dt_min is");
    v.field("conv_bias", conv_bias, "the convolution has a bias");
    v.field("bias", bias, "in_proj and out_proj have biases");
  }
  // Reads and checks a config and computes dt_rank where it is 0. Throws ErrorCode::config for an unknown key, a wrong
  // type or a value out of range.
  static Mamba1Config read(const JsonText& config, int64_t d_model);
};

class Mamba1 : public Mixer {
 public:
  // Throws what Mamba1Config::read throws.
  Mamba1(const JsonText& config, const Place& place);
  Var forward(ForwardPass& pass, Var x, const Rows&, const At& at) const override;
  void advance(AdvancePass& pass, const View& x, const Rows&, const At& at, const View& y) const override;
  void declare(SlotScope slots) const override;
  void visit_parameters(ParameterVisitor&) override;
  Cost cost(Pass, int64_t length, int64_t context) const override;

 private:
  Mamba1Config config_;
  int64_t d_inner_;
  Linear in_proj_, x_proj_, dt_proj_, out_proj_;
  Parameter conv_weight_, conv_bias_, dt_bias_;
  BoundParameter A_log_;
  Parameter D_;
  ScanA A_;  // -exp(A_log), for inference
};

}  // namespace statera
