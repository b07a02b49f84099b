#include "mixers/mlp/mlp.hpp"

#include "core/arena.hpp"
#include "core/check.hpp"
#include "ops/swiglu/swiglu.hpp"

namespace statera {

MlpConfig MlpConfig::read(const JsonText& config) {
  MlpConfig c;
  read_fields(config, c, {"type"});
  constexpr int64_t most = int64_t{1} << 24;
  require(c.d_ff >= 1 && c.d_ff <= most, ErrorCode::config, "[mlp] d_ff ", c.d_ff, " is not in 1 to ", most, " (", config.where, ")");
  return c;
}

Mlp::Mlp(const JsonText& config, const Place& place)
    : config_(MlpConfig::read(config)),
      gate_up_(place.scope + ".gate_up", place.d_in, 2 * config_.d_ff, {.parts = {{"gate", config_.d_ff}, {"up", config_.d_ff}}}),
      down_(place.scope + ".down", config_.d_ff, place.d_out, {.scale = place.residual_scale}) {}

Var Mlp::forward(ForwardPass& pass, Var x, const Rows&, const At&) const {
  Tape& tape = pass.tape;
  const Var hidden = swiglu(tape, gate_up_(tape, x)), y = down_(tape, hidden);
  tape.forget(hidden);
  return y;
}

void Mlp::advance(AdvancePass& pass, const View& x, const Rows&, const At&, const View& y) const {
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  const View gate_up = exec.scratch.allocate(x.dtype, {x.rows(), gate_up_.out()});
  const View hidden = exec.scratch.allocate(x.dtype, {x.rows(), down_.in()});
  gate_up_(exec, x, gate_up);
  swiglu(exec, gate_up, hidden);
  down_(exec, hidden, y);
}

void Mlp::visit_parameters(ParameterVisitor& visitor) {
  gate_up_.visit(visitor);
  down_.visit(visitor);
}

Cost Mlp::cost(Pass pass, int64_t, int64_t) const { return {.flops = (pass == Pass::backward ? 2 : 1) * (gate_up_.flops() + down_.flops())}; }

}  // namespace statera
