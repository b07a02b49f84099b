#include "mixers/mamba1/mamba1.hpp"

#include <algorithm>
#include <cmath>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "statera/random.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/selective_scan/selective_scan.hpp"

namespace statera {

Mamba1Config Mamba1Config::read(const JsonText& config, int64_t d_model) {
  Mamba1Config c;
  read_fields(config, c, {"type"});
  const auto within = [&](const char* name, int64_t value, int64_t least, int64_t most) {
    require(value >= least && value <= most, ErrorCode::config, "[mamba1] ", name, " ", value, " is not in ", least,
            " to ", most, " (", config.where, ")");
  };
  within("d_state", c.d_state, 1, 1 << 16);
  within("d_conv", c.d_conv, 2, 1 << 10);
  within("expand", c.expand, 1, 1 << 10);
  within("dt_rank", c.dt_rank, 0, 1 << 16);
  if (c.dt_rank == 0) c.dt_rank = (d_model + 15) / 16;
  require(c.dt_min > 0 && c.dt_max >= c.dt_min && std::isfinite(c.dt_max), ErrorCode::config, "[mamba1] dt_min ",
          c.dt_min, " and dt_max ", c.dt_max, " are no range above 0 (", config.where, ")");
  require(c.dt_init_floor > 0 && std::isfinite(c.dt_init_floor), ErrorCode::config, "[mamba1] dt_init_floor ",
          c.dt_init_floor, " is not above 0 (", config.where, ")");
  return c;
}

namespace {
// Initial values of dt_proj.bias, such that softplus of them, the initial step size, is log-uniform in dt_min ..
// dt_max.
Init inverse_softplus(const Mamba1Config& c) {
  return
      [low = std::log(c.dt_min), high = std::log(c.dt_max), floor = c.dt_init_floor](const Random& random, uint64_t i) {
        const double dt = std::max(floor, std::exp(low + (high - low) * random.uniform(i)));
        return dt + std::log(-std::expm1(-dt));
      };
}

// Initial values of A_log, such that A = -1, -2 .. -d_state for every channel (S4D-real; section 3.6 of the paper).
Init log_of_counting(int64_t d_state) {
  return [d_state](const Random&, uint64_t i) {
    return std::log(static_cast<double>(i % static_cast<uint64_t>(d_state) + 1));
  };
}

Var leaf(Tape& tape, const Parameter& p) { return tape.leaf(p.value, p.grad); }
}  // namespace

Mamba1::Mamba1(const JsonText& config, const Place& place)
    : config_(Mamba1Config::read(config, place.d_in)),
      d_inner_(config_.expand * place.d_in),
      in_proj_(place.scope + ".in_proj", place.d_in, 2 * d_inner_,
               {.bias = config_.bias, .parts = {{"x", d_inner_}, {"z", d_inner_}}}),
      x_proj_(place.scope + ".x_proj", d_inner_, config_.dt_rank + 2 * config_.d_state,
              {.parts = {{"dt", config_.dt_rank}, {"B", config_.d_state}, {"C", config_.d_state}}}),
      dt_proj_(place.scope + ".dt_proj", config_.dt_rank, d_inner_),
      out_proj_(place.scope + ".out_proj", d_inner_, place.d_out,
                {.bias = config_.bias, .scale = place.residual_scale}),
      conv_weight_(place.scope + ".conv1d.weight", {d_inner_, config_.d_conv},
                   init_uniform(1 / std::sqrt(static_cast<double>(config_.d_conv))), true),
      conv_bias_(place.scope + ".conv1d.bias", {d_inner_},
                 init_uniform(1 / std::sqrt(static_cast<double>(config_.d_conv)))),
      dt_bias_(place.scope + ".dt_proj.bias", {d_inner_}, inverse_softplus(config_)),
      A_log_(place.scope + ".A_log", {d_inner_, config_.d_state}, log_of_counting(config_.d_state)),
      D_(place.scope + ".D", {d_inner_}, init_constant(1)) {
  // Called whenever the memory of the parameter is allocated.
  A_log_.bind = [this] { A_.bind(A_log_.value, &A_log_.version); };
}

namespace {
constexpr size_t conv_slot = 0, ssm_slot = 1;  // in the order of declare()
}  // namespace

Var Mamba1::forward(ForwardPass& pass, Var u, const Rows& rows, const At& at) const {
  Tape& tape = pass.tape;
  const bool carried = !pass.initial.empty();
  const int64_t rank = config_.dt_rank, d_state = config_.d_state;
  const Var xz = in_proj_(tape, u);
  const CausalConv1dOut conv = causal_conv1d(tape,
                                             {.x = tape.columns(xz, 0, d_inner_),
                                              .weight = leaf(tape, conv_weight_),
                                              .bias = config_.conv_bias ? leaf(tape, conv_bias_) : Var()},
                                             carried ? pass.initial[at.slot + conv_slot] : Var(), rows);
  const Var dt_B_C = x_proj_(tape, conv.y);
  const SelectiveScanInputs<Var> in{.u = conv.y,
                                    .delta = dt_proj_(tape, tape.columns(dt_B_C, 0, rank)),
                                    .A = neg_exp(tape, leaf(tape, A_log_)),
                                    .B = tape.columns(dt_B_C, rank, d_state),
                                    .C = tape.columns(dt_B_C, rank + d_state, d_state),
                                    .D = leaf(tape, D_),
                                    .z = tape.columns(xz, d_inner_, d_inner_),
                                    .delta_bias = leaf(tape, dt_bias_)};
  const SelectiveScanOut scan = selective_scan(tape, in, carried ? pass.initial[at.slot + ssm_slot] : Var(), rows);
  // Both are cheap to recompute.
  tape.forget(in.delta);
  tape.forget(conv.y);
  const Var y = out_proj_(tape, scan.y);
  if (!pass.last.empty()) pass.last[at.slot + conv_slot] = conv.last, pass.last[at.slot + ssm_slot] = scan.last;
  return y;
}

void Mamba1::advance(AdvancePass& pass, const View& u, const Rows& rows, const At& at, const View& y) const {
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  const auto matrix = [&](int64_t width) { return exec.scratch.allocate(u.dtype, {u.rows(), width}); };
  const int64_t rank = config_.dt_rank, d_state = config_.d_state;
  const View xz = matrix(2 * d_inner_), x = matrix(d_inner_), dt_B_C = matrix(rank + 2 * d_state);
  const View delta = matrix(d_inner_), scanned = matrix(d_inner_);
  // [S] the states of the sequences, which the operations update in place.
  void** conv_states = exec.scratch.allocate_array<void*>(rows.sequences());
  void** ssm_states = exec.scratch.allocate_array<void*>(rows.sequences());
  for (size_t s = 0; s < pass.states.size(); ++s) {
    conv_states[s] = pass.states[s]->fixed(at.slot + conv_slot).data;
    ssm_states[s] = pass.states[s]->fixed(at.slot + ssm_slot).data;
  }

  in_proj_(exec, u, xz);
  causal_conv1d(exec,
                {.x = xz.columns(0, d_inner_),
                 .weight = conv_weight_.value,
                 .bias = config_.conv_bias ? conv_bias_.value.view() : View()},
                rows, conv_states, x);
  x_proj_(exec, x, dt_B_C);
  dt_proj_(exec, dt_B_C.columns(0, rank), delta);
  const ScanA::Made A = A_(exec);
  const SelectiveScanInputs<View> in{.u = x,
                                     .delta = delta,
                                     .A = A.A,
                                     .B = dt_B_C.columns(rank, d_state),
                                     .C = dt_B_C.columns(rank + d_state, d_state),
                                     .D = D_.value,
                                     .z = xz.columns(d_inner_, d_inner_),
                                     .delta_bias = dt_bias_.value};
  selective_scan(exec, in, rows, ssm_states, scanned, A.packed);
  out_proj_(exec, scanned, y);
}

void Mamba1::declare(SlotScope slots) const {
  slots.fixed("conv_state", {config_.d_conv - 1, d_inner_});
  slots.fixed("ssm_state", {d_inner_, config_.d_state});
}

void Mamba1::visit_parameters(ParameterVisitor& visitor) {
  in_proj_.visit(visitor);
  visitor.visit(conv_weight_);
  if (config_.conv_bias) visitor.visit(conv_bias_);
  x_proj_.visit(visitor);
  dt_proj_.visit(visitor);
  for (Parameter* p : std::initializer_list<Parameter*>{&dt_bias_, &A_log_, &D_}) visitor.visit(*p);
  out_proj_.visit(visitor);
}

Cost Mamba1::cost(Pass pass, int64_t, int64_t) const {
  const double projections = in_proj_.flops() + x_proj_.flops() + dt_proj_.flops() + out_proj_.flops();
  const double filter = 2.0 * static_cast<double>(conv_weight_.elements());
  const auto state = static_cast<double>(d_inner_ * config_.d_state);
  // Per element of the state 6 FLOPs: dt A, a h + dt u B, and C h.
  const double forward = projections + filter + 6 * state;
  return {.flops = pass == Pass::backward ? 2 * forward : forward,
          .state_bytes = (state + static_cast<double>((config_.d_conv - 1) * d_inner_)) * sizeof(float)};
}

}  // namespace statera
