#include "models/block.hpp"

#include "ops/elementwise/elementwise.hpp"

namespace statera {

namespace {
std::string prefix(int layer) { return "layers." + std::to_string(layer); }

// x + y, less what is dropped of y. Backward reads neither y nor what is left of it, so both are forgotten, y where it can be made again.
Var add_dropped(Tape& tape, Var x, Var y, const Dropout& drop, const std::string& place) {
  const Var kept = dropout(tape, y, drop, place), sum = add(tape, x, kept);
  if (kept.id != y.id) tape.forget(kept);
  if (tape.can_forget(y)) tape.forget(y);  // a mixer may end in what cannot be made again
  return sum;
}
}  // namespace

Block::Block(const ModelConfig& config, const JsonText& mixer, int layer)
    : mixer_scope_(prefix(layer) + ".mixer"),
      mlp_scope_(prefix(layer) + ".mlp"),
      norm_(prefix(layer) + ".norm", config.d_model, config.norm_eps),
      mixer_(make_mixer(mixer, {config.d_model, config.d_model, layer, config.residual_scale(), mixer_scope_})) {
  if (config.d_ff > 0)
    mlp_.reset(new MlpHalf{Norm(prefix(layer) + ".mlp_norm", config.d_model, config.norm_eps),
                           Mlp(mlp_scope_, config.d_model, config.d_ff, config.residual_scale())});
}

Var Block::forward(Tape& tape, Var x, const Rows& rows, const StateVars* initial, StateVars* last, const Dropout& drop) const {
  {
    const Tape::Scope scope(tape, mixer_scope_);
    const Var normed = norm_(tape, x);
    const MixerOut out = mixer_->forward(tape, normed, rows, initial, last != nullptr);
    if (last) *last = out.last;
    x = add_dropped(tape, x, out.y, drop, mixer_scope_);
    tape.forget(normed);
  }
  if (mlp_) {
    const Tape::Scope scope(tape, mlp_scope_);
    const Var normed = mlp_->norm(tape, x), y = mlp_->mlp(tape, normed);
    x = add_dropped(tape, x, y, drop, mlp_scope_);
    tape.forget(normed);
  }
  return x;
}

void Block::advance(Context& context, const View& x, const Rows& rows, std::span<State* const> states) const {
  Exec& exec = context.exec;
  const ArenaScope scope(exec.scratch);
  const View normed = exec.scratch.allocate(x.dtype, x.shape), y = exec.scratch.allocate(x.dtype, x.shape);
  norm_(exec, x, normed);
  mixer_->advance(context, normed, rows, states, y);
  add(exec, x, y, x);
  if (mlp_) {
    mlp_->norm(exec, x, normed);
    mlp_->mlp(exec, normed, y);
    add(exec, x, y, x);
  }
}

void Block::visit_parameters(ParameterVisitor& visitor) {
  norm_.visit(visitor);
  mixer_->visit_parameters(visitor);
  if (mlp_) {
    mlp_->norm.visit(visitor);
    mlp_->mlp.visit(visitor);
  }
}

}  // namespace statera
