// SwiGLU MLP: y = (silu(x Wg^T) * (x Wu^T)) Wd^T, gate and up as one product (Shazeer, 2020, eq. 6).
#pragma once
#include "core/arena.hpp"
#include "nn/linear.hpp"
#include "ops/swiglu/swiglu.hpp"

namespace statera {

class Mlp {
 public:
  Mlp(const std::string& name, int64_t d_model, int64_t d_ff, double residual_scale)
      : gate_up_(name + ".gate_up", d_model, 2 * d_ff, {.parts = {{"gate", d_ff}, {"up", d_ff}}}),
        down_(name + ".down", d_ff, d_model, {.scale = residual_scale, .shard_axis = 1}) {}

  Var operator()(Tape& tape, Var x) const {
    const Var hidden = swiglu(tape, gate_up_(tape, x)), y = down_(tape, hidden);
    tape.forget(hidden);
    return y;
  }
  void operator()(Exec& exec, const View& x, const View& y) const {
    const ArenaScope scope(exec.scratch);
    const View gate_up = exec.scratch.allocate(x.dtype, {x.rows(), gate_up_.out()});
    const View hidden = exec.scratch.allocate(x.dtype, {x.rows(), down_.in()});
    gate_up_(exec, x, gate_up);
    swiglu(exec, gate_up, hidden);
    down_(exec, hidden, y);
  }
  void visit(ParameterVisitor& visitor) {
    gate_up_.visit(visitor);
    down_.visit(visitor);
  }
  double flops() const { return gate_up_.flops() + down_.flops(); }

 private:
  Linear gate_up_, down_;
};

}  // namespace statera
