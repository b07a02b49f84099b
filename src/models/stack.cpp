#include "models/stack.hpp"

#include <algorithm>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/join_columns/join_columns.hpp"

namespace statera {

// --- a sublayer ---

Sublayer::Sublayer(const SublayerConfig& config, double norm_eps, const Place& place, const std::string& where)
    : config_(config), scope_(place.scope + "." + config.name), width_(place.d_in) {
  if (!config.with.empty()) {
    const int64_t more = place.side->width(config.with, where);
    with_ = place.side->read(config.with, more, where);
    width_ += more;
  }
  if (const NormKind* kind = norm_named(config.norm, "norm", where, true))
    norm_.emplace(place.scope + "." + config.norm_name, width_, norm_eps, *kind);
  if (const NormKind* kind = norm_named(config.post_norm, "post_norm", where, true))
    post_norm_.emplace(place.scope + "." + config.name + "_post_norm", place.d_out, norm_eps, *kind);
  require(config.residual != "normed" || (norm_ && !with_), ErrorCode::config,
          "residual is 'normed', which needs a norm and nothing joined to its input (", where, ")");
  Place inner = place;
  inner.d_in = width_;
  inner.scope = scope_;
  inner.shared = nullptr;
  if (config.shared.empty()) own_ = place.make({config.mixer, where}, inner);
  mixer_ = own_ ? own_.get() : shared_mixer(place, where);
  if (config.low_rank > 0) {
    low_a_.emplace(scope_ + ".low_rank_a", width_, config.low_rank);
    low_b_.emplace(scope_ + ".low_rank_b", config.low_rank, place.d_out, LinearOptions{.init = init_constant(0)});
  }
  struct Scale : ParameterVisitor {
    double by;
    void visit(Parameter& p) override { p.lr_scale *= by; }
  } scale;
  scale.by = config.lr_scale;
  visit_parameters(scale);
}

// The first sublayer that uses the mixer makes it. A shared mixer cannot have side values or losses, since these belong
// to one place in the model.
Mixer* Sublayer::shared_mixer(const Place& place, const std::string& where) {
  const auto found = place.shared->find(config_.shared);
  shows_mixer_ = found == place.shared->end();
  if (!shows_mixer_) {
    const SharedMixer& s = found->second;
    require(s.d_in == width_ && s.d_out == place.d_out, ErrorCode::config, "the shared mixer '", config_.shared,
            "' has widths ", s.d_in, " to ", s.d_out, ", and here stand ", width_, " to ", place.d_out, " (", where,
            ")");
    return s.mixer.get();
  }
  SideValues side;
  LossNames losses;
  Place own = place;
  own.d_in = width_;
  own.scope = place.scope.substr(0, place.scope.rfind("layers.")) + "shared." + config_.shared;
  own.side = &side;
  own.losses = &losses;
  own.shared = nullptr;
  std::unique_ptr<Mixer> made = place.make({config_.mixer, where}, own);
  require(side.count() == 0 && losses.empty(), ErrorCode::config, "the shared mixer '", config_.shared,
          "' has side values or losses of its own, which cannot be shared (", where, ")");
  return place.shared->emplace(config_.shared, SharedMixer{std::move(made), width_, place.d_out})
      .first->second.mixer.get();
}

// Adds the result, after dropout, to the stream. A result that replaces the stream gets no dropout, since what it drops
// would be lost. Backward reads neither the result nor its dropped form, so both are forgotten; the result only if it
// can be recomputed.
Var Sublayer::join(ForwardPass& pass, Var x, Var y) const {
  Tape& tape = pass.tape;
  const Var kept = config_.residual == "none" ? y : dropout(tape, y, pass.dropout, scope_);
  const Var sum = config_.residual == "none" ? scaled(tape, kept, config_.scale)
                                             : add(tape, x, kept, {.a = config_.residual_scale, .b = config_.scale});
  const bool read_later = std::ranges::any_of(pass.side, [&](Var side) { return side && side.id == y.id; });
  if (kept.id != y.id && kept.id != sum.id) tape.forget(kept);
  // some mixers end in an operation that cannot be recomputed
  if (y.id != sum.id && !read_later && tape.can_forget(y)) tape.forget(y);
  return sum;
}

Var Sublayer::forward(ForwardPass& pass, Var x, Var block_input, const Rows& rows, const At& at) const {
  Tape& tape = pass.tape;
  const Tape::Scope scope(tape, scope_);
  const Var read = reads_block_input() ? block_input : x,
            input = with_ ? join_columns(tape, read, pass.side[*with_]) : read;
  const Var normed = norm_ ? (*norm_)(tape, input) : input;
  Var y = mixer_->forward(pass, normed, rows, at);
  if (low_a_) y = add(tape, y, (*low_b_)(tape, (*low_a_)(tape, normed)));
  if (post_norm_) y = (*post_norm_)(tape, y);
  const Var sum = join(pass, config_.residual == "normed" ? normed : x, y);
  if (norm_) tape.forget(normed);
  if (with_) tape.forget(input);
  return sum;
}

void Sublayer::advance(AdvancePass& pass, const View& x, const View& block_input, const Rows& rows,
                       const At& at) const {
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  const View y = exec.scratch.allocate(x.dtype, x.shape);
  View input = reads_block_input() ? block_input : x;
  if (with_) {
    const View joined = exec.scratch.allocate(x.dtype, {x.rows(), width_});
    join_columns(exec, input, pass.side[*with_], joined);
    input = joined;
  }
  View normed = input;
  if (norm_) {
    normed = exec.scratch.allocate(x.dtype, input.shape);
    (*norm_)(exec, input, normed);
  }
  mixer_->advance(pass, normed, rows, at, y);
  if (low_a_) {
    const View low = exec.scratch.allocate(x.dtype, {x.rows(), low_a_->out()}),
               more = exec.scratch.allocate(x.dtype, x.shape);
    (*low_a_)(exec, normed, low);
    (*low_b_)(exec, low, more);
    add(exec, y, more, y);
  }
  View result = y;
  if (post_norm_) {
    result = exec.scratch.allocate(x.dtype, x.shape);
    (*post_norm_)(exec, y, result);
  }
  if (config_.residual == "none")
    scaled(exec, result, config_.scale, x);
  else
    add(exec, config_.residual == "normed" ? normed : x, result, x, {.a = config_.residual_scale, .b = config_.scale});
}

void Sublayer::visit_parameters(ParameterVisitor& visitor) {
  if (norm_) norm_->visit(visitor);
  if (shows_mixer_) mixer_->visit_parameters(visitor);
  if (low_a_) {
    low_a_->visit(visitor);
    low_b_->visit(visitor);
  }
  if (post_norm_) post_norm_->visit(visitor);
}

double Sublayer::flops(Pass pass) const {
  return low_a_ ? (pass == Pass::backward ? 2 : 1) * (low_a_->flops() + low_b_->flops()) : 0;
}

// --- a block ---

Block::Block(const BlockConfig& config, double norm_eps, const Place& place, const std::string& where) {
  losses_.first = place.losses->size();
  At at{0, 0};
  for (const SublayerConfig& sublayer : config) {
    sublayers_.push_back(std::make_unique<Sublayer>(sublayer, norm_eps, place, where + ": " + sublayer.name));
    offsets_.push_back(at);
    at = at + extent(sublayers_.back()->mixer());
  }
  offsets_.push_back(at);
  losses_.second = place.losses->size();
  side_ = place.side->take_used();
}

At Block::behind(At at) const { return at + offsets_.back(); }

Var Block::forward(ForwardPass& pass, Var x, const Rows& rows, const At& at) const {
  const Var input = x;
  for (size_t i = 0; i < sublayers_.size(); ++i) x = sublayers_[i]->forward(pass, x, input, rows, at + offsets_[i]);
  return x;
}

void Block::advance(AdvancePass& pass, const View& x, const Rows& rows, const At& at) const {
  const ArenaScope scope(pass.exec.scratch);
  View input;
  if (std::ranges::any_of(sublayers_, [](const auto& s) { return s->reads_block_input(); })) {
    input = pass.exec.scratch.allocate(x.dtype, x.shape);  // since x is updated in place
    copy(x, input);
  }
  for (size_t i = 0; i < sublayers_.size(); ++i) sublayers_[i]->advance(pass, x, input, rows, at + offsets_[i]);
}

void Block::declare(SlotScope slots) const {
  for (const auto& sublayer : sublayers_) sublayer->declare(slots);
}

void Block::visit_parameters(ParameterVisitor& visitor) {
  for (const auto& sublayer : sublayers_) sublayer->visit_parameters(visitor);
}

// --- a stack ---

namespace {
constexpr const char* embedding_name = "embedding";
}

Stack::Stack(const std::vector<BlockConfig>& layers, double norm_eps, const Place& place, const std::string& where) {
  require(place.d_in == place.d_out, ErrorCode::config, "a stack keeps its width, and ", place.d_in, " is not ",
          place.d_out, " (", where, ")");
  const auto reads_it = [](const SublayerConfig& sublayer) { return sublayer.with == embedding_name; };
  if (std::ranges::any_of(layers, [&](const BlockConfig& block) { return std::ranges::any_of(block, reads_it); })) {
    embedding_ = side_.set(embedding_name, place.d_in, where);
    side_.take_used();  // it is the stack that sets it, and no block
  }
  At at{0, 0};
  for (size_t i = 0; i < layers.size(); ++i) {
    Place inner = place;
    inner.layer = static_cast<int>(i);
    inner.scope = place.scope + "layers." + std::to_string(i);
    inner.side = &side_;
    inner.shared = &shared_;
    blocks_.push_back(std::make_unique<Block>(layers[i], norm_eps, inner, where + ": layer " + std::to_string(i)));
    offsets_.push_back(at);
    at = blocks_.back()->behind(at);
  }
  offsets_.push_back(at);
}

Var Stack::forward(ForwardPass& outer, Var x, const Rows& rows, const At& at, bool checkpoint) const {
  ForwardPass pass = outer;
  if (at.clock > At().clock) pass.ids = {};  // a stack on a clock of its own has other rows
  Var* side = memory_of(outer.tape).allocate_array<Var>(static_cast<int64_t>(side_.count()));
  std::fill_n(side, side_.count(), Var());
  pass.side = {side, side_.count()};
  if (embedding_) pass.side[*embedding_] = x;
  for (size_t i = 0; i < blocks_.size(); ++i)
    x = checkpoint ? forward_checkpointed(pass, *blocks_[i], x, rows, at + offsets_[i], at + offsets_[i + 1])
                   : blocks_[i]->forward(pass, x, rows, at + offsets_[i]);
  return x;
}

namespace {
// What is needed to run a block again in backward. Lives on the tape.
struct Segment {
  const Block* block;
  Rows rows;
  std::span<const int32_t> ids;
  Dropout dropout;
  At at, end;
  size_t slots, sides, losses;      // sizes of the whole pass
  std::optional<size_t> same_as_x;  // the side value that is x itself, and so no input of its own
  bool carried, wants_last;
  std::span<const int64_t> started;
  std::span<int64_t> ended;
  std::span<InnerRows> inner_rows;
  double progress;
};

// Inputs: x, the states of the block, the side values that it reads. Outputs: y, its states, the side values that it
// sets, its losses.
void run_segment(const Segment& s, Tape& tape, std::span<const Var> in, std::span<Var> out) {
  Arena& memory = memory_of(tape);
  const auto array = [&](size_t count) {
    Var* vars = memory.allocate_array<Var>(static_cast<int64_t>(count));
    std::fill_n(vars, count, Var());
    return std::span(vars, count);
  };
  const std::span<Var> initial = array(s.carried ? s.slots : 0), last = array(s.wants_last ? s.slots : 0),
                       side = array(s.sides), losses = array(s.losses);
  size_t next = 1;
  if (s.carried)
    for (size_t i = s.at.slot; i < s.end.slot; ++i) initial[i] = in[next++];
  for (const size_t i : s.block->side().read) side[i] = i == s.same_as_x ? in[0] : in[next++];
  ForwardPass pass{.tape = tape,
                   .ids = s.ids,
                   .dropout = s.dropout,
                   .initial = initial,
                   .last = last,
                   .started = s.started,
                   .ended = s.ended,
                   .side = side,
                   .losses = losses,
                   .inner_rows = s.inner_rows,
                   .progress = s.progress};
  out[0] = s.block->forward(pass, in[0], s.rows, s.at);
  next = 1;
  if (s.wants_last)
    for (size_t i = s.at.slot; i < s.end.slot; ++i) out[next++] = last[i];
  for (const size_t i : s.block->side().set) out[next++] = side[i];
  for (size_t i = s.block->losses().first; i < s.block->losses().second; ++i) out[next++] = losses[i];
}
}  // namespace

Var Stack::forward_checkpointed(ForwardPass& pass, const Block& block, Var x, const Rows& rows, const At& at,
                                const At& end) const {
  const auto& read = block.side().read;
  const auto same = std::ranges::find_if(read, [&](size_t i) { return pass.side[i].id == x.id; });
  const Segment segment{.block = &block,
                        .rows = rows,
                        .ids = pass.ids,
                        .dropout = pass.dropout,
                        .at = at,
                        .end = end,
                        .slots = std::max(pass.initial.size(), pass.last.size()),
                        .sides = pass.side.size(),
                        .losses = pass.losses.size(),
                        .same_as_x = same == read.end() ? std::nullopt : std::optional(*same),
                        .carried = !pass.initial.empty(),
                        .wants_last = !pass.last.empty(),
                        .started = pass.started,
                        .ended = pass.ended,
                        .inner_rows = pass.inner_rows,
                        .progress = pass.progress};
  const size_t slots = end.slot - at.slot, losses = block.losses().second - block.losses().first;
  Arena& memory = memory_of(pass.tape);
  const size_t inputs = 1 + (segment.carried ? slots : 0) + read.size() - (segment.same_as_x ? 1 : 0);
  const size_t outputs = 1 + (segment.wants_last ? slots : 0) + block.side().set.size() + losses;
  const std::span<Var> in(memory.allocate_array<Var>(static_cast<int64_t>(inputs)), inputs),
      out(memory.allocate_array<Var>(static_cast<int64_t>(outputs)), outputs);
  std::ranges::fill(out, Var());
  size_t next = 0;
  in[next++] = x;
  if (segment.carried)
    next = static_cast<size_t>(
        std::copy_n(pass.initial.begin() + static_cast<ptrdiff_t>(at.slot), slots, in.begin() + 1) - in.begin());
  for (const size_t i : read)
    if (i != segment.same_as_x) in[next++] = pass.side[i];
  checkpoint(pass.tape, in, out,
             [segment](Tape& tape, std::span<const Var> i, std::span<Var> o) { run_segment(segment, tape, i, o); });
  next = 1;
  if (segment.wants_last)
    for (size_t i = at.slot; i < end.slot; ++i) pass.last[i] = out[next++];
  for (const size_t i : block.side().set) pass.side[i] = out[next++];
  for (size_t i = block.losses().first; i < block.losses().second; ++i) pass.losses[i] = out[next++];
  return out[0];
}

void Stack::advance(AdvancePass& outer, const View& x, const Rows& rows, const At& at, size_t clock) const {
  AdvancePass pass = outer;
  if (clock != 0) pass.ids = {};
  const ArenaScope scope(pass.exec.scratch);
  View* side = pass.exec.scratch.allocate_array<View>(static_cast<int64_t>(side_.count()));
  for (size_t i = 0; i < side_.count(); ++i)
    new (side + i) View(pass.exec.scratch.allocate(x.dtype, {x.rows(), side_.width(i)}));
  pass.side = {side, side_.count()};
  if (embedding_) copy(x, pass.side[*embedding_]);  // since x is updated in place
  for (size_t s = 0; s < pass.states.size(); ++s) {
    State& state = *pass.states[s];
    require(state.position(clock) == rows.start[s], ErrorCode::shape, "[model] sequence ", s, " is at row ",
            state.position(clock), ", not ", rows.start[s]);
    state.reserve(rows.start[s] + rows.length(static_cast<int64_t>(s)), clock);
  }
  for (size_t i = 0; i < blocks_.size(); ++i) blocks_[i]->advance(pass, x, rows, at + offsets_[i]);
  for (size_t s = 0; s < pass.states.size(); ++s) {
    State& state = *pass.states[s];
    state.set_position(rows.start[s] + rows.length(static_cast<int64_t>(s)), clock);
    const auto& slots = state.layout().slots;
    for (size_t i = at.slot; i < (at + offsets_.back()).slot; ++i)
      if (slots[i].grows && slots[i].clock == clock)
        state.drop_before(i, first_looked_at(slots[i].window, state.position(clock), pass.max_keys));
  }
}

int64_t first_looked_at(int64_t window, int64_t rows, int64_t max_keys) {
  const int64_t sees = window && max_keys ? std::min(window, max_keys) : std::max(window, max_keys);
  return sees > 0 ? std::max<int64_t>(0, rows + 1 - sees) : 0;
}

void Stack::declare(SlotScope slots) const {
  for (size_t i = 0; i < blocks_.size(); ++i) blocks_[i]->declare(slots.inner("layers." + std::to_string(i)));
}

void Stack::visit_parameters(ParameterVisitor& visitor) {
  for (const auto& block : blocks_) block->visit_parameters(visitor);
}

Cost Stack::cost(Pass pass, int64_t length, int64_t context) const {
  Cost total;
  for (const auto& block : blocks_)
    for (const auto& sublayer : block->sublayers()) {
      const Cost one = sublayer->mixer().cost(pass, length, context);
      total.flops += one.flops + sublayer->flops(pass);
      total.state_bytes += one.state_bytes;
    }
  return total;
}

}  // namespace statera
