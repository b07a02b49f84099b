#include "mixers/ngram/ngram.hpp"

#include <bit>
#include <cmath>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "mixers/ngram/ngram_rows.hpp"
#include "ops/causal_conv1d/causal_conv1d.hpp"
#include "ops/dot_gate/dot_gate.hpp"

namespace statera {

namespace {
constexpr double norm_eps = 1e-5;
constexpr size_t ids_slot = 0, conv_slot = 1;  // in the order of declare()
constexpr int64_t most_rows = int64_t{1} << 30, most_width = int64_t{1} << 20;

// Before any memory is asked for.
NgramConfig read(const JsonText& config) {
  NgramConfig c;
  read_fields(config, c, {"type"});
  const auto within = [&](const char* name, int64_t value, int64_t low, int64_t high) {
    require(value >= low && value <= high, ErrorCode::config, "[ngram] ", name, " ", value, " is not in ", low, " to ",
            high, " (", config.where, ")");
  };
  within("order", c.order, 2, most_ngram_order);
  within("heads", c.heads, 1, 64);
  within("width", c.width, 0, most_width);
  require(c.rows >= 2 && c.rows <= most_rows && std::has_single_bit(static_cast<uint64_t>(c.rows)), ErrorCode::config,
          "[ngram] rows ", c.rows, " is not a power of 2 in 2 to ", most_rows, " (", config.where, ")");
  within("all rows", (c.order - 1) * c.heads * c.rows, 2, most_rows);
  require(!c.gate || c.width > 0, ErrorCode::config, "[ngram] gate needs a width: what is found has to be projected (",
          config.where, ")");
  require(c.d_conv == 0 || (c.gate && c.d_conv >= 2 && c.d_conv <= 1 << 10), ErrorCode::config, "[ngram] d_conv ",
          c.d_conv, " is not 0, or 2 to 1024 with a gate (", config.where, ")");
  require(std::isfinite(c.lr_scale) && c.lr_scale >= 0, ErrorCode::config, "[ngram] lr_scale ", c.lr_scale,
          " is not 0 or a finite number above (", config.where, ")");
  return c;
}

// The ids of a pass, or an error where there are none.
std::span<const int32_t> ids_of(std::span<const int32_t> ids, const Rows& rows) {
  require(
      static_cast<int64_t>(ids.size()) == rows.total(), ErrorCode::config,
      "[ngram] stands where rows have no ids of their own; put it into the layers of the model, not into a mixer that "
      "runs at other positions");
  return ids;
}
}  // namespace

Ngram::Ngram(const JsonText& config, const Place& place)
    : config_(read(config)),
      d_out_(place.d_out),
      table_(place.scope + ".table", tables() * config_.rows, config_.width ? config_.width : d_out_,
             config_.width ? init_normal(0.02) : init_constant(0), config_.lr_scale) {
  if (config_.width)
    out_.emplace(place.scope + ".out_proj", tables() * config_.width, d_out_,
                 LinearOptions{.scale = place.residual_scale});
  if (!config_.gate) return;
  require(place.d_in == d_out_, ErrorCode::config, "[ngram] gate needs an input as wide as the output, got ",
          place.d_in, " and ", d_out_, " (", config.where, ")");
  key_.emplace(place.scope + ".key_proj", tables() * config_.width, d_out_, LinearOptions{});
  stream_norm_.emplace(place.scope + ".stream_norm", d_out_, norm_eps);
  key_norm_.emplace(place.scope + ".key_norm", d_out_, norm_eps);
  if (config_.d_conv == 0) return;
  conv_norm_.emplace(place.scope + ".conv_norm", d_out_, norm_eps);
  conv_.emplace(place.scope + ".conv1d.weight", Shape{d_out_, config_.d_conv}, init_constant(0), true);
}

std::span<const int32_t> Ngram::find(Exec& exec, Arena& memory, DType dtype, std::span<const int32_t> ids,
                                     const Rows& rows, const void* const* initial, void* const* last) const {
  const int64_t count = rows.total() * tables();
  int32_t* found = memory.allocate_array<int32_t>(count);
  ngram_kernels(exec, dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.rows({.ids = ids_of(ids, rows).data(),
                  .offsets = rows.offsets.data(),
                  .start = rows.start.data(),
                  .sequences = rows.sequences(),
                  .initial = reinterpret_cast<const T* const*>(initial),
                  .last = reinterpret_cast<T* const*>(last),
                  .order = config_.order,
                  .heads = config_.heads,
                  .log2_rows = std::countr_zero(static_cast<uint64_t>(config_.rows)),
                  .rows = found},
                 exec);
  });
  return {found, static_cast<size_t>(count)};
}

Var Ngram::forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const {
  Tape& tape = pass.tape;
  Exec exec = exec_of(tape);
  const DType dtype = table_.dtype();
  const int64_t sequences = rows.sequences();
  const Var before = pass.initial.empty() ? Var() : pass.initial[at.slot + ids_slot],
            after = pass.last.empty() ? Var() : tape.make(dtype, {sequences, config_.order - 1}, false);
  const auto pointers = [&](Var states) -> void** {
    if (!states) return nullptr;
    auto** all = memory_of(tape).allocate_array<void*>(sequences);
    for (int64_t s = 0; s < sequences; ++s) all[s] = tape.value(states).row_range(s, 1).data;
    return all;
  };
  const std::span<const int32_t> found =
      find(exec, memory_of(tape), dtype, pass.ids, rows, pointers(before), pointers(after));
  if (after) pass.last[at.slot + ids_slot] = after;
  const Var y = table_(tape, found, tables(), out_ ? Joined::side_by_side : Joined::summed);
  if (config_.gate) return gated(pass, x, y, rows, at);
  return out_ ? (*out_)(tape, y) : y;
}

Var Ngram::gated(ForwardPass& pass, Var x, Var found, const Rows& rows, const At& at) const {
  Tape& tape = pass.tape;
  const Var key = (*key_)(tape, found), value = (*out_)(tape, found);
  const Var q = (*stream_norm_)(tape, x), k = (*key_norm_)(tape, key);
  const Var passed = dot_gate(tape, {.q = q, .k = k, .v = value});
  if (!conv_) return passed;
  const CausalConv1dOut conv = causal_conv1d(
      tape, {.x = (*conv_norm_)(tape, passed), .weight = tape.leaf(conv_->value, conv_->grad), .bias = {}},
      pass.initial.empty() ? Var() : pass.initial[at.slot + conv_slot], rows);
  if (!pass.last.empty()) pass.last[at.slot + conv_slot] = conv.last;
  return add(tape, passed, conv.y);
}

void Ngram::gated(AdvancePass& pass, const View& x, const View& found, const Rows& rows, const At& at,
                  const View& y) const {
  Exec& exec = pass.exec;
  const View k = exec.scratch.allocate(y.dtype, y.shape), q = exec.scratch.allocate(y.dtype, y.shape),
             value = exec.scratch.allocate(y.dtype, y.shape);
  (*key_)(exec, found, q);
  (*key_norm_)(exec, q, k);
  (*stream_norm_)(exec, x, q);
  (*out_)(exec, found, value);
  dot_gate(exec, {.q = q, .k = k, .v = value}, value);
  if (!conv_) return scaled(exec, value, 1, y);
  (*conv_norm_)(exec, value, q);
  auto** states = exec.scratch.allocate_array<void*>(rows.sequences());
  for (size_t s = 0; s < pass.states.size(); ++s) states[s] = pass.states[s]->fixed(at.slot + conv_slot).data;
  causal_conv1d(exec, {.x = q, .weight = conv_->value, .bias = {}}, rows, states, k);
  add(exec, value, k, y);
}

void Ngram::declare(SlotScope slots) const {
  slots.fixed("ids", {config_.order - 1});
  if (conv_) slots.fixed("conv_state", {config_.d_conv - 1, d_out_});
}

void Ngram::advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& y) const {
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  auto** states = exec.scratch.allocate_array<void*>(rows.sequences());
  for (size_t s = 0; s < pass.states.size(); ++s) states[s] = pass.states[s]->fixed(at.slot + ids_slot).data;
  const std::span<const int32_t> found = find(exec, exec.scratch, y.dtype, pass.ids, rows, states, states);
  if (!out_) return table_(exec, found, y);
  const View wide = exec.scratch.allocate(y.dtype, {y.rows(), tables() * config_.width});
  table_(exec, found, wide);
  if (config_.gate) return gated(pass, x, wide, rows, at, y);
  (*out_)(exec, wide, y);
}

void Ngram::visit_parameters(ParameterVisitor& visitor) {
  table_.visit(visitor);
  if (out_) out_->visit(visitor);
  if (key_) key_->visit(visitor);
  for (std::optional<Norm>* norm : {&stream_norm_, &key_norm_, &conv_norm_})
    if (*norm) (*norm)->visit(visitor);
  if (conv_) visitor.visit(*conv_);
}

Cost Ngram::cost(Pass pass, int64_t, int64_t) const {
  const double width = static_cast<double>(tables() * table_.width()), out = static_cast<double>(d_out_),
               product = (out_ ? 2 * width * out : 0) + (key_ ? 2 * width * out + 4 * out : 0) +
                         2 * static_cast<double>(config_.d_conv) * out,
               state =
                   static_cast<double>(config_.order - 1) + (conv_ ? static_cast<double>(config_.d_conv - 1) * out : 0);
  return {.flops = width + (pass == Pass::backward ? 2 : 1) * product, .state_bytes = state * sizeof(float)};
}

}  // namespace statera
