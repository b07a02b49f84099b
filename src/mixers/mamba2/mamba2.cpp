#include "mixers/mamba2/mamba2.hpp"

#include <algorithm>
#include <cmath>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "statera/random.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/elementwise/elementwise.hpp"

namespace statera {

Mamba2Config Mamba2Config::read(const JsonText& config, int64_t d_model) {
  Mamba2Config c;
  read_fields(config, c, {"type"});
  const auto within = [&](const char* name, int64_t value, int64_t least, int64_t most) {
    require(value >= least && value <= most, ErrorCode::config, "[mamba2] ", name, " ", value, " is not in ", least,
            " to ", most, " (", config.where, ")");
  };
  within("d_state", c.d_state, 1, 1 << 16);
  within("d_conv", c.d_conv, 2, 1 << 10);
  within("expand", c.expand, 1, 1 << 10);
  within("headdim", c.headdim, 1, 1 << 16);
  within("n_groups", c.n_groups, 1, 1 << 16);
  within("chunk_size", c.chunk_size, 1, 1 << 12);
  within("norm_groups", c.norm_groups, 0, 1 << 16);
  if (c.norm_groups == 0) c.norm_groups = c.n_groups;
  const int64_t d_inner = c.expand * d_model;
  const auto divides = [&](const char* name, int64_t part, const char* of, int64_t whole) {
    require(whole % part == 0, ErrorCode::config, "[mamba2] ", name, " ", part, " does not divide ", of, " ", whole,
            " (", config.where, ")");
  };
  divides("headdim", c.headdim, "d_inner", d_inner);
  divides("n_groups", c.n_groups, "the number of heads", d_inner / c.headdim);
  divides("norm_groups", c.norm_groups, "d_inner", d_inner);
  const auto ordered = [&](const char* name, double low, double high, double least) {
    require(low >= least && high >= low && std::isfinite(low), ErrorCode::config, "[mamba2] ", name, "_min ", low,
            " and ", name, "_max ", high, " are no range above ", least, " (", config.where, ")");
  };
  ordered("dt", c.dt_min, c.dt_max, 1e-12);
  ordered("dt_limit", c.dt_limit_min, c.dt_limit_max, 0);
  ordered("A_init", c.A_init_min, c.A_init_max, 1e-12);
  require(std::isfinite(c.dt_max) && std::isfinite(c.A_init_max), ErrorCode::config,
          "[mamba2] dt_max and A_init_max are finite (", config.where, ")");
  require(c.dt_init_floor > 0 && c.norm_eps > 0 && std::isfinite(c.dt_init_floor) && std::isfinite(c.norm_eps),
          ErrorCode::config, "[mamba2] dt_init_floor and norm_eps are above 0 (", config.where, ")");
  return c;
}

namespace {
// Initial values of A_log, such that -A is uniform in low .. high.
Init log_of_uniform(double low, double high) {
  return [=](const Random& random, uint64_t i) { return std::log(low + (high - low) * random.uniform(i)); };
}

// Initial values of dt_bias, such that softplus of them, the initial step size, is log-uniform in dt_min .. dt_max.
Init inverse_softplus(const Mamba2Config& c) {
  return
      [low = std::log(c.dt_min), high = std::log(c.dt_max), floor = c.dt_init_floor](const Random& random, uint64_t i) {
        const double dt = std::max(floor, std::exp(low + (high - low) * random.uniform(i)));
        return dt + std::log(-std::expm1(-dt));
      };
}

Var leaf(Tape& tape, const Parameter& p) { return tape.leaf(p.value, p.grad); }
}  // namespace

Mamba2::Mamba2(const JsonText& config, const Place& place)
    : config_(Mamba2Config::read(config, place.d_in)),
      d_inner_(config_.expand * place.d_in),
      n_heads_(d_inner_ / config_.headdim),
      conv_dim_(d_inner_ + 2 * config_.n_groups * config_.d_state),
      ssd_{.n_groups = config_.n_groups,
           .chunk_size = config_.chunk_size,
           .dt_limit_min = config_.dt_limit_min,
           .dt_limit_max = config_.dt_limit_max},
      norm_{.group_size = d_inner_ / config_.norm_groups,
            .eps = config_.norm_eps,
            .norm_before_gate = config_.norm_before_gate},
      in_proj_(place.scope + ".in_proj", place.d_in, d_inner_ + conv_dim_ + n_heads_,
               {.bias = config_.bias,
                .parts = {{"z", d_inner_},
                          {"x", d_inner_},
                          {"B", config_.n_groups * config_.d_state},
                          {"C", config_.n_groups * config_.d_state},
                          {"dt", n_heads_}}}),
      out_proj_(place.scope + ".out_proj", d_inner_, place.d_out,
                {.bias = config_.bias, .scale = place.residual_scale}),
      conv_weight_(place.scope + ".conv1d.weight", {conv_dim_, config_.d_conv},
                   init_uniform(1 / std::sqrt(static_cast<double>(config_.d_conv))), true),
      conv_bias_(place.scope + ".conv1d.bias", {conv_dim_},
                 init_uniform(1 / std::sqrt(static_cast<double>(config_.d_conv)))),
      dt_bias_(place.scope + ".dt_bias", {n_heads_}, inverse_softplus(config_)),
      A_log_(place.scope + ".A_log", {n_heads_}, log_of_uniform(config_.A_init_min, config_.A_init_max)),
      D_(place.scope + ".D", {n_heads_}, init_constant(1)),
      norm_weight_(place.scope + ".norm.weight", {d_inner_}, init_constant(1)) {}

namespace {
constexpr size_t conv_slot = 0, ssm_slot = 1;  // in the order of declare()
}  // namespace

Var Mamba2::forward(ForwardPass& pass, Var u, const Rows& rows, const At& at) const {
  Tape& tape = pass.tape;
  const bool carried = !pass.initial.empty();
  const int64_t BC = config_.n_groups * config_.d_state;
  // The parts of the projection are columns of it, never copies: z | x | B | C | dt.
  const Var zxbcdt = in_proj_(tape, u);
  const Var z = tape.columns(zxbcdt, 0, d_inner_), dt = tape.columns(zxbcdt, d_inner_ + conv_dim_, n_heads_);
  const CausalConv1dOut conv = causal_conv1d(tape,
                                             {.x = tape.columns(zxbcdt, d_inner_, conv_dim_),
                                              .weight = leaf(tape, conv_weight_),
                                              .bias = config_.conv_bias ? leaf(tape, conv_bias_) : Var()},
                                             carried ? pass.initial[at.slot + conv_slot] : Var(), rows);
  const Var x = tape.columns(conv.y, 0, d_inner_), B = tape.columns(conv.y, d_inner_, BC),
            C = tape.columns(conv.y, d_inner_ + BC, BC);
  const Var A = neg_exp(tape, leaf(tape, A_log_));
  const SsdOut scan =
      ssd(tape, {.x = x, .dt = dt, .A = A, .B = B, .C = C, .D = leaf(tape, D_), .dt_bias = leaf(tape, dt_bias_)},
          carried ? pass.initial[at.slot + ssm_slot] : Var(), rows, ssd_);
  tape.forget(conv.y);  // cheap to recompute, like the norm below
  const Var normed = gated_rmsnorm(tape, scan.y, z, leaf(tape, norm_weight_), {}, norm_);
  const Var y = out_proj_(tape, normed);
  tape.forget(normed);
  if (!pass.last.empty()) pass.last[at.slot + conv_slot] = conv.last, pass.last[at.slot + ssm_slot] = scan.last;
  return y;
}

void Mamba2::advance(AdvancePass& pass, const View& u, const Rows& rows, const At& at, const View& y) const {
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  const auto matrix = [&](int64_t width) { return exec.scratch.allocate(u.dtype, {u.rows(), width}); };
  const int64_t BC = config_.n_groups * config_.d_state;
  const View zxbcdt = matrix(in_proj_.out()), xbc = matrix(conv_dim_), scanned = matrix(d_inner_),
             normed = matrix(d_inner_);
  const View A = exec.scratch.allocate(u.dtype, {n_heads_});
  // [S] the states of the sequences, which the operations update in place.
  void** conv_states = exec.scratch.allocate_array<void*>(rows.sequences());
  void** ssm_states = exec.scratch.allocate_array<void*>(rows.sequences());
  for (size_t s = 0; s < pass.states.size(); ++s) {
    conv_states[s] = pass.states[s]->fixed(at.slot + conv_slot).data;
    ssm_states[s] = pass.states[s]->fixed(at.slot + ssm_slot).data;
  }

  in_proj_(exec, u, zxbcdt);
  causal_conv1d(exec,
                {.x = zxbcdt.columns(d_inner_, conv_dim_),
                 .weight = conv_weight_.value,
                 .bias = config_.conv_bias ? conv_bias_.value.view() : View()},
                rows, conv_states, xbc);
  neg_exp(exec, A_log_.value, A);
  ssd(exec,
      {.x = xbc.columns(0, d_inner_),
       .dt = zxbcdt.columns(d_inner_ + conv_dim_, n_heads_),
       .A = A,
       .B = xbc.columns(d_inner_, BC),
       .C = xbc.columns(d_inner_ + BC, BC),
       .D = D_.value,
       .dt_bias = dt_bias_.value},
      rows, ssd_, ssm_states, scanned);
  gated_rmsnorm(exec, scanned, zxbcdt.columns(0, d_inner_), norm_weight_.value, {}, norm_, normed);
  out_proj_(exec, normed, y);
}

void Mamba2::declare(SlotScope slots) const {
  slots.fixed("conv_state", {config_.d_conv - 1, conv_dim_});
  slots.fixed("ssm_state", {n_heads_, config_.headdim, config_.d_state});
  slots.chunked(config_.chunk_size);
}

void Mamba2::visit_parameters(ParameterVisitor& visitor) {
  in_proj_.visit(visitor);
  visitor.visit(conv_weight_);
  if (config_.conv_bias) visitor.visit(conv_bias_);
  for (Parameter* p : {&dt_bias_, &A_log_, &D_, &norm_weight_}) visitor.visit(*p);
  out_proj_.visit(visitor);
}

Cost Mamba2::cost(Pass pass, int64_t length, int64_t) const {
  const double projections = in_proj_.flops() + out_proj_.flops(),
               filter = 2.0 * static_cast<double>(conv_weight_.elements());
  const auto state = static_cast<double>(d_inner_ * config_.d_state),
             q = static_cast<double>(std::min(config_.chunk_size, length));
  // C B^T and its product with x are lower triangles: q FLOPs per position and channel, half of a full product.
  const double near = q * static_cast<double>(config_.n_groups * config_.d_state + d_inner_);
  const double forward = projections + filter + (pass == Pass::step ? 5 * state : near + 4 * state);
  return {.flops = pass == Pass::backward ? 2 * forward : forward,
          .state_bytes = (state + static_cast<double>((config_.d_conv - 1) * conv_dim_)) * sizeof(float)};
}

}  // namespace statera
