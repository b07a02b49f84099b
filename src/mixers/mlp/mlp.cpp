#include "mixers/mlp/mlp.hpp"

#include "core/arena.hpp"
#include "core/check.hpp"

namespace statera {

namespace {
MlpConfig read(const JsonText& config) {
  MlpConfig c;
  read_fields(config, c, {"type"});
  return c;
}

MlpConfig read_swiglu(const JsonText& config) {
  SwigluConfig c;
  read_fields(config, c, {"type"});
  return {.d_ff = c.d_ff, .activation = "silu", .gated = true, .bias = false};
}

// Before any memory is asked for.
const MlpConfig& checked(const MlpConfig& c, const std::string& where) {
  constexpr int64_t most = int64_t{1} << 24;
  require(c.d_ff >= 1 && c.d_ff <= most, ErrorCode::config, "[mlp] d_ff ", c.d_ff, " is not in 1 to ", most, " (",
          where, ")");
  return c;
}

LinearOptions up_options(const MlpConfig& c) {
  LinearOptions o{.bias = c.bias};
  if (c.gated) o.parts = {{"gate", c.d_ff}, {"up", c.d_ff}};
  return o;
}
}  // namespace

Mlp::Mlp(const MlpConfig& config, const Place& place, const std::string& where)
    : config_(checked(config, where)),
      activation_(activation_named(config.activation, where)),
      up_(place.scope + (config.gated ? ".gate_up" : ".up"), place.d_in, (config.gated ? 2 : 1) * config.d_ff,
          up_options(config)),
      down_(place.scope + ".down", config.d_ff, place.d_out, {.bias = config.bias, .scale = place.residual_scale}) {}

Mlp::Mlp(const JsonText& config, const Place& place) : Mlp(read(config), place, config.where) {}

Swiglu::Swiglu(const JsonText& config, const Place& place) : Mlp(read_swiglu(config), place, config.where) {}

Var Mlp::forward(ForwardPass& pass, Var x, const Rows&, const At&) const {
  Tape& tape = pass.tape;
  const Var up = up_(tape, x), hidden = config_.gated ? glu(tape, activation_, up) : activate(tape, activation_, up),
            y = down_(tape, hidden);
  tape.forget(hidden);
  return y;
}

void Mlp::advance(AdvancePass& pass, const View& x, const Rows&, const At&, const View& y) const {
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  const View up = exec.scratch.allocate(x.dtype, {x.rows(), up_.out()});
  const View hidden = exec.scratch.allocate(x.dtype, {x.rows(), down_.in()});
  up_(exec, x, up);
  if (config_.gated)
    glu(exec, activation_, up, hidden);
  else
    activate(exec, activation_, up, hidden);
  down_(exec, hidden, y);
}

void Mlp::visit_parameters(ParameterVisitor& visitor) {
  up_.visit(visitor);
  down_.visit(visitor);
}

Cost Mlp::cost(Pass pass, int64_t, int64_t) const {
  return {.flops = (pass == Pass::backward ? 2 : 1) * (up_.flops() + down_.flops())};
}

}  // namespace statera
