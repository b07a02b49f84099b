#include "mixers/hnet/hnet.hpp"

#include <algorithm>
#include <cmath>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "io/json.hpp"
#include "ops/gather_rows/gather_rows.hpp"
#include "ops/join_columns/join_columns.hpp"
#include "ops/ratio_loss/ratio_loss.hpp"
#include "ops/routing/routing.hpp"

namespace statera {

namespace {
constexpr double most_ratio = 1 << 20;
constexpr const char* of_learned[] = {"confidence", "ratio_from", "ratio_weight"};  // keys of the learned router alone

HnetConfig read(const JsonText& config) {
  HnetConfig c;
  read_fields(config, c, {"type", "stack"});
  const auto one_of = [&](const char* key, const std::string& value, std::initializer_list<const char*> known) {
    std::string all;
    for (const char* name : known) {
      if (value == name) return;
      all += (all.empty() ? "" : ", ") + std::string(name);
    }
    fail(ErrorCode::config, "[hnet] ", key, " is '", value, "'; known: ", all, " (", config.where, ")");
  };
  one_of("router", c.router, {"learned", "stride", "spaces"});
  one_of("confidence", c.confidence, {"straight_through", "plain", "none"});
  const auto target = [&](const char* key, double value) {
    require(value > 1 && value <= most_ratio, ErrorCode::config, "[hnet] ", key, " ", value,
            " is not above 1 and at most ", most_ratio, " (", config.where, ")");
  };
  target("ratio", c.ratio);
  if (c.ratio_from != 0) target("ratio_from", c.ratio_from);
  require(c.router != "stride" || c.ratio == std::floor(c.ratio), ErrorCode::config, "[hnet] ratio ", c.ratio,
          " is no whole number, which the router stride needs (", config.where, ")");
  const auto json = parse_json(config.text, config.where);
  for (const char* key : of_learned)
    require(c.router == "learned" || !json.contains(key), ErrorCode::config, "[hnet] ", key,
            " is of the learned router and has no effect with '", c.router, "'; leave it out (", config.where, ")");
  require(c.router == "spaces" || !json.contains("cut_at"), ErrorCode::config,
          "[hnet] cut_at is of the router spaces and has no effect with '", c.router, "'; leave it out (", config.where,
          ")");
  require(std::ranges::all_of(c.cut_at, [](char byte) { return static_cast<unsigned char>(byte) < 0x80; }),
          ErrorCode::config,
          "[hnet] cut_at has characters of several bytes, and would cut within them; it takes ASCII (", config.where,
          ")");
  require(c.router != "spaces" || !c.cut_at.empty(), ErrorCode::config,
          "[hnet] cut_at is empty; the router spaces needs bytes to cut at (", config.where, ")");
  for (const auto& [key, value] : {std::pair("ratio_weight", c.ratio_weight), {"lr_scale", c.lr_scale}})
    require(std::isfinite(value) && value >= 0, ErrorCode::config, "[hnet] ", key, " ", value,
            " is not 0 or a finite number above (", config.where, ")");
  return c;
}

Confidence confidence_of(const HnetConfig& c) {
  return c.confidence == "none" || c.router != "learned" ? Confidence::none
         : c.confidence == "plain"                       ? Confidence::plain
                                                         : Confidence::straight_through;
}

// The config of the stack, with its width.
nlohmann::json stack_of(const JsonText& config, int64_t d_outer) {
  const auto json = parse_json(config.text, config.where);
  auto stack = json.value("stack", nlohmann::json());
  require(stack.is_object(), ErrorCode::config,
          "[hnet] needs a \"stack\", an object with \"layers\" and \"mixers\" as in a model's config (", config.where,
          ")");
  if (!stack.contains("d_model")) stack["d_model"] = d_outer;
  const auto& width = stack["d_model"];
  require(width.is_number_integer() && width >= d_outer && width <= int64_t{1} << 20, ErrorCode::config,
          "[hnet] stack.d_model ", width.dump(), " is no width from ", d_outer, " on, the one around it (",
          config.where, ")");
  return stack;
}

Init identity(int64_t width) {
  return [width](const Random&, uint64_t i) {
    return static_cast<int64_t>(i) / width == static_cast<int64_t>(i) % width ? 1.0 : 0.0;
  };
}

std::string router_of(const nlohmann::ordered_json& config) { return config.value("router", HnetConfig().router); }
}  // namespace

const InnerPace Hnet::pace{.set_ratio =
                               [](nlohmann::ordered_json& config, double ratio) {
                                 if (router_of(config) != "stride")
                                   config["ratio"] = std::clamp(ratio, std::nextafter(1.0, 2.0), most_ratio);
                               },
                           .cut_evenly =
                               [](nlohmann::ordered_json& config) {
                                 if (router_of(config) != "learned") return;
                                 for (const char* key : of_learned) config.erase(key);
                                 config["router"] = "stride";
                                 config["ratio"] = std::max(2.0, std::round(config.value("ratio", HnetConfig().ratio)));
                               }};

Hnet::Hnet(const JsonText& config, const Place& place)
    : config_(read(config)),
      confidence_(confidence_of(config_)),
      d_outer_(place.d_in),
      d_inner_(stack_of(config, place.d_in).at("d_model")),
      residual_proj_(place.scope + ".residual_proj", place.d_in, place.d_out,
                     {.bias = true,
                      .fewest = WeightFormat::f32,  // all that the decoder gets of single positions
                      .init = init_constant(0),
                      .bias_init = init_uniform(1 / std::sqrt(static_cast<double>(place.d_in)))}) {
  require(place.d_in == place.d_out && place.make_stack, ErrorCode::config,
          "[hnet] stands where the width stays and inner stacks are allowed, not between widths ", place.d_in, " and ",
          place.d_out, " (", config.where, ")");
  // the names of what stands in a stack within another have two layers
  require(
      !by_ids() || place.scope.find("layers.") == place.scope.rfind("layers."), ErrorCode::config,
      "[hnet] the router spaces reads bytes, which only the outermost stack has; take stride or learned within it (",
      config.where, ")");
  require(!by_ids() || place.ids == 256, ErrorCode::config,
          "[hnet] the router spaces cuts at bytes, and this model reads ", place.ids,
          " tokens; take stride or learned, or --units bytes (", config.where, ")");
  for (const char c : config_.cut_at) cut_at_[static_cast<unsigned char>(c)] = true;
  if (learned()) {
    // A decision follows from these products, so they stay exact where other weights are rounded.
    const LinearOptions options{.fewest = WeightFormat::f32, .init = identity(d_outer_)};
    q_proj_.emplace(place.scope + ".q_proj", d_outer_, d_outer_, options);
    k_proj_.emplace(place.scope + ".k_proj", d_outer_, d_outer_, options);
    if (config_.ratio_weight > 0) {
      loss_ = place.losses->size();
      place.losses->push_back(place.scope + ".ratio");
    }
  }
  if (d_inner_ > d_outer_) pad_.emplace(place.scope + ".pad", Shape{d_inner_ - d_outer_}, init_constant(0));
  Place inside = place;
  inside.d_in = inside.d_out = d_inner_;
  stack_ = place.make_stack({stack_of(config, d_outer_).dump(), config.where + ": stack"}, inside);
  struct Scale : ParameterVisitor {
    double by = 1;
    void visit(Parameter& p) override { p.lr_scale *= by; }
  } scale;
  scale.by = config_.lr_scale;
  stack_->visit_parameters(scale);
  if (pad_) scale.visit(*pad_);
}

namespace {
// For gather_rows(x, carried): the row before each row, and the last row of each sequence. A sequence without an
// earlier row has none.
struct Shifted {
  std::span<int32_t> before, last;
};

Shifted shift(Arena& memory, const Rows& rows, bool carried) {
  const int64_t total = rows.total(), S = rows.sequences();
  const Shifted shifted{{memory.allocate_array<int32_t>(total), static_cast<size_t>(total)},
                        {memory.allocate_array<int32_t>(S), static_cast<size_t>(S)}};
  for (int64_t s = 0; s < S; ++s) {
    int32_t row = carried && rows.start[static_cast<size_t>(s)] > 0 ? static_cast<int32_t>(-1 - s) : no_row;
    for (int64_t t = rows.begin(s); t < rows.begin(s) + rows.length(s); ++t) {
      shifted.before[static_cast<size_t>(t)] = row;
      row = static_cast<int32_t>(t);
    }
    shifted.last[static_cast<size_t>(s)] = row;
  }
  return shifted;
}

// What decides about cuts is multiplied in fp32, whatever the training does with other products.
class InFp32 {
 public:
  explicit InFp32(Tape& tape) : tape_(tape), before_(tape.device().precision()) { tape.set_precision(Precision::fp32); }
  ~InFp32() { tape_.set_precision(before_); }
  InFp32(const InFp32&) = delete;
  InFp32& operator=(const InFp32&) = delete;

 private:
  Tape& tape_;
  Precision before_;
};

void** rows_of(Arena& memory, const View& states) {
  void** pointers = memory.allocate_array<void*>(states.rows());
  for (int64_t s = 0; s < states.rows(); ++s) pointers[s] = states.row_range(s, 1).data;
  return pointers;
}
}  // namespace

void Hnet::route_fixed(Exec& exec, std::span<const int32_t> ids, const Rows& rows, const void* const* initial,
                       void* const* last, const View& p) const {
  require(!by_ids() || static_cast<int64_t>(ids.size()) == rows.total(), ErrorCode::config,
          "[hnet] the router spaces stands where rows have no ids of their own; only the outermost stack may have it");
  cuts_kernels(exec, p.dtype, [&](auto zero, const auto& kernels) {
    using T = decltype(zero);
    kernels.fixed({.p = p.as<T>(),
                   .offsets = rows.offsets.data(),
                   .start = rows.start.data(),
                   .sequences = rows.sequences(),
                   .every = every(),
                   .ids = ids.data(),
                   .cut = by_ids() ? &cut_at_ : nullptr,
                   .initial = reinterpret_cast<const T* const*>(initial),
                   .last = reinterpret_cast<T* const*>(last)},
                  exec);
  });
}

// The probability of a cut at each row, [N].
Var Hnet::route(ForwardPass& pass, Var x, const Rows& rows, const At& at) const {
  Tape& tape = pass.tape;
  Arena& memory = memory_of(tape);
  const View in = tape.value(x);
  const Var carried = pass.initial.empty() || router_slots() == 0 ? Var() : pass.initial[at.slot];
  const bool wants_last = !pass.last.empty() && router_slots() > 0;
  if (learned()) {
    const Shifted rows_of_x = shift(memory, rows, static_cast<bool>(carried));
    if (wants_last) pass.last[at.slot] = gather_rows(tape, x, carried, rows_of_x.last, {rows.sequences(), d_outer_});
    const Var before = gather_rows(tape, x, carried, rows_of_x.before, in.shape);
    const InFp32 exact(tape);
    return routing(tape, (*q_proj_)(tape, before), (*k_proj_)(tape, x), rows);
  }
  const Var p = tape.make(in.dtype, {in.rows()}, false),
            last = wants_last ? tape.make(in.dtype, {rows.sequences(), router_state()}, false) : Var();
  Exec exec = exec_of(tape);
  route_fixed(exec, pass.ids, rows, carried ? rows_of(memory, tape.value(carried)) : nullptr,
              last ? rows_of(memory, tape.value(last)) : nullptr, tape.value(p));
  if (last) pass.last[at.slot] = last;
  return p;
}

Var Hnet::forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const {
  Tape& tape = pass.tape;
  Arena& memory = memory_of(tape);
  const auto S = static_cast<size_t>(rows.sequences());
  const Var p = route(pass, x, rows, at);
  int64_t* start = memory.allocate_array<int64_t>(rows.sequences());
  for (size_t s = 0; s < S; ++s) start[s] = pass.started.empty() ? 0 : pass.started[at.clock * S + s];
  const Boundaries cuts = find_boundaries(memory, tape.value(p), rows, {start, S}, break_every());
  const int64_t M = cuts.inner.total();
  Var read = gather_rows(tape, x, {}, cuts.outer_row, {M, d_outer_});
  if (pad_) {
    int32_t* zeros = memory.allocate_array<int32_t>(M);
    std::fill_n(zeros, M, 0);
    const Shape row{1, d_inner_ - d_outer_};
    const View grad = pad_->grad;
    const Var pad = tape.leaf(pad_->value.view().reshaped(row), grad.empty() ? grad : grad.reshaped(row));
    read = join_columns(tape, read, gather_rows(tape, pad, {}, {zeros, static_cast<size_t>(M)}, {M, row[1]}));
  }
  const size_t slot = at.slot + router_slots();
  const Var made = stack_->forward(pass, read, cuts.inner, {slot + 1, at.clock + 1});
  for (size_t s = 0; s < S && !pass.ended.empty(); ++s)
    pass.ended[at.clock * S + s] = cuts.inner.start[s] + cuts.inner.length(static_cast<int64_t>(s));
  if (!pass.inner_rows.empty()) pass.inner_rows[at.clock] = {M, rows.total()};
  if (loss_) {
    const double from = config_.ratio_from > 0 ? config_.ratio_from : config_.ratio;
    pass.losses[*loss_] = ratio_loss(
        tape, p, M, {.positions = from + (config_.ratio - from) * pass.progress, .weight = config_.ratio_weight});
  }
  const DechunkOut out = dechunk(
      tape,
      {.z = d_inner_ > d_outer_ ? tape.columns(made, 0, d_outer_) : made, .p = p, .residual = residual_proj_(tape, x)},
      pass.initial.empty() ? Var() : pass.initial[slot], rows, cuts, confidence_);
  if (!pass.last.empty()) pass.last[slot] = out.last;
  return out.y;
}

void Hnet::route(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& p) const {
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  const int64_t S = rows.sequences();
  if (!learned()) {
    void** states = by_ids() ? exec.scratch.allocate_array<void*>(S) : nullptr;
    for (int64_t s = 0; states && s < S; ++s) states[s] = pass.states[static_cast<size_t>(s)]->fixed(at.slot).data;
    return route_fixed(exec, pass.ids, rows, states, states, p);
  }
  const View before = exec.scratch.allocate(x.dtype, x.shape), q = exec.scratch.allocate(x.dtype, x.shape),
             k = exec.scratch.allocate(x.dtype, x.shape);
  for (int64_t s = 0; s < S; ++s) {
    const int64_t length = rows.length(s), begin = rows.begin(s);
    if (length == 0) continue;
    const View carried = pass.states[static_cast<size_t>(s)]->fixed(at.slot).reshaped({1, d_outer_}),
               first = before.row_range(begin, 1);
    copy(carried, first);  // of a new sequence nobody reads it: its first row is a cut in any case
    copy(x.row_range(begin, length - 1), before.row_range(begin + 1, length - 1));
    copy(x.row_range(begin + length - 1, 1), carried);
  }
  (*q_proj_)(exec, before, q);
  (*k_proj_)(exec, x, k);
  routing(exec, q, k, rows, p);
}

void Hnet::advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at, const View& y) const {
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  const int64_t S = rows.sequences();
  const View p = exec.scratch.allocate(x.dtype, {x.rows()});
  route(pass, x, rows, at, p);
  int64_t* start = exec.scratch.allocate_array<int64_t>(S);
  for (int64_t s = 0; s < S; ++s) start[s] = pass.states[static_cast<size_t>(s)]->position(at.clock);
  const Boundaries cuts = find_boundaries(exec.scratch, p, rows, {start, static_cast<size_t>(S)}, break_every());
  if (!pass.cuts.empty()) pass.cuts[at.clock].add(p, cuts.outer_row);
  const int64_t M = cuts.inner.total();
  const View read = exec.scratch.allocate(x.dtype, {M, d_inner_}), made = exec.scratch.allocate(x.dtype, {M, d_inner_});
  for (int64_t i = 0; i < M; ++i) {
    const View row = read.row_range(i, 1);
    copy(x.row_range(cuts.outer_row[static_cast<size_t>(i)], 1), row.columns(0, d_outer_));
    if (pad_) copy(pad_->value.view().reshaped({1, d_inner_ - d_outer_}), row.columns(d_outer_, d_inner_ - d_outer_));
  }
  const size_t slot = at.slot + router_slots();
  stack_->advance(pass, read, cuts.inner, {slot + 1, at.clock + 1}, made);
  const View residual = exec.scratch.allocate(x.dtype, x.shape);
  residual_proj_(exec, x, residual);
  void** states = exec.scratch.allocate_array<void*>(S);
  for (int64_t s = 0; s < S; ++s) states[s] = pass.states[static_cast<size_t>(s)]->fixed(slot).data;
  dechunk(exec, {.z = made.columns(0, d_outer_), .p = p, .residual = residual}, rows, cuts, confidence_, states, y);
}

void Hnet::declare(SlotScope slots) const {
  if (router_slots() > 0) slots.fixed("before", {router_state()});
  slots.fixed("smoothed", {d_outer_});
  stack_->declare(slots.with_clock(every()));
}

void Hnet::visit_parameters(ParameterVisitor& visitor) {
  if (learned()) {
    q_proj_->visit(visitor);
    k_proj_->visit(visitor);
  }
  residual_proj_.visit(visitor);
  if (pad_) visitor.visit(*pad_);
  stack_->visit_parameters(visitor);
}

Cost Hnet::cost(Pass pass, int64_t length, int64_t context) const {
  const auto inner = [&](int64_t positions) {
    return static_cast<int64_t>(std::ceil(static_cast<double>(positions) / config_.ratio));
  };
  Cost cost = stack_->cost(pass, inner(length), inner(context));
  const double router = learned() ? q_proj_->flops() + k_proj_->flops() + 6.0 * static_cast<double>(d_outer_) : 0,
               own = router + residual_proj_.flops() + 5.0 * static_cast<double>(d_outer_);
  cost.flops = cost.flops / config_.ratio + (pass == Pass::backward ? 2 : 1) * own;
  cost.state_bytes += static_cast<double>((router_slots() > 0 ? router_state() : 0) + d_outer_) * sizeof(float);
  return cost;
}

}  // namespace statera
