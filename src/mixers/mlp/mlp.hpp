// A gated MLP, the channel mixer of most blocks: y = (silu(x Wg^T) * (x Wu^T)) Wd^T, gate and up as one product (Shazeer, 2020, eq. 6). See mlp.md.
#pragma once
#include "core/fields.hpp"
#include "mixers/mixer.hpp"
#include "nn/linear.hpp"

namespace statera {

struct MlpConfig {
  int64_t d_ff = 0;
  void visit(FieldVisitor& v) { v.field("d_ff", d_ff, "hidden width"); }
  // Throws config.
  static MlpConfig read(const JsonText& config);
};

class Mlp : public Mixer {
 public:
  Mlp(const JsonText& config, const Place& place);
  Var forward(ForwardPass& pass, Var x, const Rows&, const At& at) const override;
  void advance(AdvancePass& pass, const View& x, const Rows&, const At& at, const View& y) const override;
  void visit_parameters(ParameterVisitor&) override;
  Cost cost(Pass, int64_t length, int64_t context) const override;

 private:
  MlpConfig config_;
  Linear gate_up_, down_;
};

}  // namespace statera
