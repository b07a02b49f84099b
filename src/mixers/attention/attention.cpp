#include "mixers/attention/attention.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/gather_rows/gather_rows.hpp"

namespace statera {

AttentionConfig AttentionConfig::read(const JsonText& config, int64_t d_model) {
  AttentionConfig c;
  read_fields(config, c, {"type"});
  constexpr int64_t most = int64_t{1} << 20;
  require(c.n_heads >= 1 && c.n_heads <= most, ErrorCode::config, "[attention] n_heads ", c.n_heads, " is not in 1 to ",
          most, " (", config.where, ")");
  if (c.n_kv_heads == 0) c.n_kv_heads = c.n_heads;
  require(c.n_kv_heads > 0 && c.n_heads % c.n_kv_heads == 0, ErrorCode::config, "[attention] n_heads ", c.n_heads,
          " is not a multiple of n_kv_heads ", c.n_kv_heads, " (", config.where, ")");
  if (c.headdim == 0) {
    require(d_model % c.n_heads == 0, ErrorCode::config, "[attention] d_model ", d_model,
            " is not a multiple of n_heads ", c.n_heads, ": give a headdim (", config.where, ")");
    c.headdim = d_model / c.n_heads;
  }
  require(c.headdim >= 1 && c.headdim <= most / c.n_heads * 16, ErrorCode::config, "[attention] headdim ", c.headdim,
          " is not possible (", config.where, ")");
  if (c.rotary_dim == 0) c.rotary_dim = c.headdim;
  require(!c.rope || (c.rotary_dim > 0 && c.rotary_dim % 2 == 0 && c.rotary_dim <= c.headdim), ErrorCode::config,
          "[attention] rotary_dim ", c.rotary_dim, " must be even and at most headdim ", c.headdim, " (", config.where,
          ")");
  require(c.rope_theta > 0 && std::isfinite(c.rope_theta), ErrorCode::config,
          "[attention] rope_theta must be above 0 (", config.where, ")");
  require(c.window >= 0, ErrorCode::config, "[attention] window ", c.window, " must be at least 0 (", config.where,
          ")");
  require(c.norm_eps > 0 && std::isfinite(c.norm_eps), ErrorCode::config, "[attention] norm_eps ", c.norm_eps,
          " is not above 0 (", config.where, ")");
  require(c.d_conv == 0 || (c.d_conv >= 2 && c.d_conv <= 1 << 10), ErrorCode::config, "[attention] d_conv ", c.d_conv,
          " is not 0 or in 2 to ", 1 << 10, " (", config.where, ")");
  return c;
}

namespace {
// Initial values of the convolution: the identity (1 at the last tap) plus the uniform values that the filters of the
// Mamba mixers start with.
Init near_identity(int64_t taps) {
  return [taps, around = init_uniform(1 / std::sqrt(static_cast<double>(taps)))](const Random& random, uint64_t i) {
    return around(random, i) + (static_cast<int64_t>(i) % taps == taps - 1 ? 1 : 0);
  };
}

Var leaf(Tape& tape, const Parameter& p) { return tape.leaf(p.value, p.grad); }
}  // namespace

AttentionMixer::AttentionMixer(const JsonText& config, const Place& place)
    : config_(AttentionConfig::read(config, place.d_in)),
      q_width_(config_.n_heads * config_.headdim),
      kv_width_(config_.n_kv_heads * config_.headdim),
      options_{.n_heads = config_.n_heads,
               .n_kv_heads = config_.n_kv_heads,
               .headdim = config_.headdim,
               .value_dim = config_.headdim,
               .window = config_.window},
      rope_{.heads = config_.n_heads + config_.n_kv_heads,
            .headdim = config_.headdim,
            .rotary_dim = config_.rotary_dim,
            .theta = config_.rope_theta,
            .interleaved = config_.rope_interleaved},
      norm_{.group_size = config_.headdim, .eps = config_.norm_eps},
      qkv_proj_(place.scope + ".qkv_proj", place.d_in, q_width_ + 2 * kv_width_,
                {.bias = config_.bias, .parts = {{"q", q_width_}, {"k", kv_width_}, {"v", kv_width_}}}),
      o_proj_(place.scope + ".o_proj", q_width_, place.d_out, {.bias = config_.bias, .scale = place.residual_scale}),
      conv_weight_(place.scope + ".conv1d.weight", {q_width_ + 2 * kv_width_, config_.d_conv},
                   near_identity(config_.d_conv)),
      norm_weight_(place.scope + ".qk_norm.weight", {q_width_ + kv_width_}, init_constant(1)) {
  norm_weight_.parts = {{"q", q_width_}, {"k", kv_width_}};
}

namespace {
constexpr size_t k_slot = 0, v_slot = 1, conv_slot = 2;  // in the order of declare()

// How many positions each sequence carries to the next batch: one number C for all, since they go into one tensor
// [S, C, width]. `before`: the C that came in. With a window, window - 1 positions are enough. Without one, as many as
// the longest sequence has here, or as came in. A sequence must really have min(C, its position) positions: one that
// began more than `before` positions ago has only those that came in and those of this batch.
int64_t carried_positions(const Rows& rows, int64_t before, int64_t window) {
  int64_t longest = before, there = INT64_MAX;
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    longest = std::max(longest, rows.length(s));
    if (rows.start[static_cast<size_t>(s)] > before) there = std::min(there, before + rows.length(s));
  }
  return std::min(window > 0 ? std::max<int64_t>(1, window - 1) : longest, there);
}

// Which keys and values a batch reads, and which it carries on. The arrays lie in the tape's memory.
struct Carried {
  Rows rows;  // of the keys: those that came in, then those of this batch
  // Indices for gather_rows(this batch, what came in): the keys of `rows`, and the keys [S, count] that go out.
  std::span<int32_t> join, last;
  int64_t count;  // positions that go out; 0 if nobody asks for them
};

Carried carry(Tape& tape, const Rows& rows, int64_t before, int64_t window, bool wants_last) {
  const int64_t S = rows.sequences();
  int32_t* offsets = memory_of(tape).allocate_array<int32_t>(S + 1);
  int64_t* start = memory_of(tape).allocate_array<int64_t>(S);
  offsets[0] = 0;
  for (int64_t s = 0; s < S; ++s) {
    const int64_t first = rows.start[static_cast<size_t>(s)], old = std::min(before, first);
    start[s] = first - old;
    offsets[s + 1] = static_cast<int32_t>(offsets[s] + old + rows.length(s));
  }
  Carried c{{{offsets, static_cast<size_t>(S) + 1}, {start, static_cast<size_t>(S)}},
            {},
            {},
            wants_last ? carried_positions(rows, before, window) : 0};
  c.join = {memory_of(tape).allocate_array<int32_t>(offsets[S]), static_cast<size_t>(offsets[S])};
  c.last = {memory_of(tape).allocate_array<int32_t>(S * c.count), static_cast<size_t>(S * c.count)};
  for (int64_t s = 0; s < S; ++s) {
    // The index of row i of the sequence, where row 0 is its first one in this batch. Earlier rows (i < 0) are the last
    // ones of part s of what came in, [S, before, width].
    const auto row = [&](int64_t i) {
      return static_cast<int32_t>(i >= 0 ? rows.begin(s) + i : -1 - ((s + 1) * before + i));
    };
    const int64_t length = rows.length(s), old = c.rows.length(s) - length;
    for (int64_t i = -old; i < length; ++i) c.join[static_cast<size_t>(c.rows.begin(s) + old + i)] = row(i);
    for (int64_t i = length - c.count; i < length; ++i)
      c.last[static_cast<size_t>((s + 1) * c.count + i - length)] = i < -old ? no_row : row(i);
  }
  return c;
}
}  // namespace

Var AttentionMixer::forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const {
  Tape& tape = pass.tape;
  const bool carried = !pass.initial.empty(), wants_last = !pass.last.empty();
  const Var projected = qkv_proj_(tape, x);
  CausalConv1dOut conv;
  if (config_.d_conv > 0)
    conv = causal_conv1d(tape, {.x = projected, .weight = leaf(tape, conv_weight_), .bias = {}, .silu = false},
                         carried ? pass.initial[at.slot + conv_slot] : Var(), rows);
  const Var qkv = conv.y ? conv.y : projected;
  // q and k lie side by side, so norm and rotation treat both as the heads of one matrix.
  Var qk = config_.qk_norm || config_.rope ? tape.columns(qkv, 0, q_width_ + kv_width_) : qkv, normed, turned;
  if (config_.qk_norm) qk = normed = gated_rmsnorm(tape, qk, {}, leaf(tape, norm_weight_), {}, norm_);
  if (config_.rope) qk = turned = rope(tape, qk, rows, rope_);
  const Var q = tape.columns(qk, 0, q_width_);
  Var k = tape.columns(qk, q_width_, kv_width_), v = tape.columns(qkv, q_width_ + kv_width_, kv_width_);

  const int64_t S = rows.sequences();
  const Var k_before = carried ? pass.initial[at.slot + k_slot] : Var(),
            v_before = carried ? pass.initial[at.slot + v_slot] : Var();
  const Carried c = carry(tape, rows, carried ? tape.value(k_before).shape[1] : 0, config_.window, wants_last);
  if (wants_last) {
    pass.last[at.slot + k_slot] = gather_rows(tape, k, k_before, c.last, {S, c.count, kv_width_});
    pass.last[at.slot + v_slot] = gather_rows(tape, v, v_before, c.last, {S, c.count, kv_width_});
    if (conv.y) pass.last[at.slot + conv_slot] = conv.last;
  }
  if (c.rows.total() > rows.total()) {
    k = gather_rows(tape, k, k_before, c.join, {c.rows.total(), kv_width_});
    v = gather_rows(tape, v, v_before, c.join, {c.rows.total(), kv_width_});
  }
  const Var y = o_proj_(tape, attention(tape, {.q = q, .k = k, .v = v}, rows, c.rows, options_));
  // Cheap to recompute.
  for (const Var made : {turned, normed, conv.y})
    if (made) tape.forget(made);
  return y;
}

void AttentionMixer::advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& y) const {
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  const auto matrix = [&](int64_t width) { return exec.scratch.allocate(x.dtype, {x.rows(), width}); };
  View qkv = matrix(qkv_proj_.out());
  const View heads = matrix(q_width_);
  qkv_proj_(exec, x, qkv);
  if (config_.d_conv > 0) {
    void** conv_states = exec.scratch.allocate_array<void*>(rows.sequences());
    for (size_t s = 0; s < pass.states.size(); ++s) conv_states[s] = pass.states[s]->fixed(at.slot + conv_slot).data;
    const View filtered = matrix(qkv_proj_.out());
    causal_conv1d(exec, {.x = qkv, .weight = conv_weight_.value, .bias = {}, .silu = false}, rows, conv_states,
                  filtered);
    qkv = filtered;
  }
  View qk = qkv.columns(0, q_width_ + kv_width_);
  if (config_.qk_norm) {
    const View normed = matrix(qk.cols());
    gated_rmsnorm(exec, qk, {}, norm_weight_.value, {}, norm_, normed);
    qk = normed;
  }
  if (config_.rope) rope(exec, qk, qk, rows, rope_);  // in place

  auto* blocks = exec.scratch.allocate_array<KvBlocks>(rows.sequences());
  for (size_t s = 0; s < pass.states.size(); ++s) {
    const State& state = *pass.states[s];
    const int64_t first = state.first_block(at.slot + k_slot);
    blocks[s] = {.k = state.blocks(at.slot + k_slot),
                 .v = state.blocks(at.slot + v_slot),
                 .first_block = first,
                 .first_key = first * State::block_positions};
  }
  // max_keys narrows the window of a model that runs past the context of its training.
  AttentionOptions options = options_;
  if (pass.max_keys > 0) options.window = options.window > 0 ? std::min(options.window, pass.max_keys) : pass.max_keys;
  const std::span<const KvBlocks> all(blocks, pass.states.size());
  attention_append(exec, qk.columns(q_width_, kv_width_), qkv.columns(q_width_ + kv_width_, kv_width_), rows, all,
                   options);
  attention(exec, {.q = qk.columns(0, q_width_)}, heads, rows, all, options);
  o_proj_(exec, heads, y);
}

void AttentionMixer::declare(SlotScope slots) const {
  static_assert(State::block_positions == attention_block);
  slots.growing("k", {config_.n_kv_heads, config_.headdim, attention_block}, config_.window);
  slots.growing("v", {config_.n_kv_heads, attention_block, config_.headdim}, config_.window);
  if (config_.d_conv > 0) slots.fixed("conv_state", {config_.d_conv - 1, qkv_proj_.out()});
}

void AttentionMixer::visit_parameters(ParameterVisitor& visitor) {
  qkv_proj_.visit(visitor);
  if (config_.d_conv > 0) visitor.visit(conv_weight_);
  if (config_.qk_norm) visitor.visit(norm_weight_);
  o_proj_.visit(visitor);
}

Cost AttentionMixer::cost(Pass pass, int64_t length, int64_t context) const {
  const auto seen = [&](int64_t positions) {
    return config_.window > 0 ? std::min(config_.window, positions) : positions;
  };
  const auto w = static_cast<double>(seen(length)), n = static_cast<double>(std::max<int64_t>(1, length));
  // Mean keys per query: the first w queries see 1 .. w of them, the others w. So (w (w + 1) / 2 + (n - w) w) / n.
  const double keys = pass == Pass::step ? static_cast<double>(seen(context + 1)) : w - w * (w - 1) / (2 * n);
  const double projections = qkv_proj_.flops() + o_proj_.flops(),
               filter = 2.0 * static_cast<double>(config_.d_conv * qkv_proj_.out());
  const double forward = projections + filter + 4 * keys * static_cast<double>(q_width_);
  const int64_t filtered = std::max<int64_t>(0, config_.d_conv - 1) * qkv_proj_.out();
  return {.flops = pass == Pass::backward ? 2 * forward : forward,
          .state_bytes = static_cast<double>(2 * seen(context) * kv_width_ + filtered) * sizeof(float)};
}

}  // namespace statera
