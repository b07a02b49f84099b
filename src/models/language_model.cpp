#include "models/language_model.hpp"

#include <algorithm>

#include "autograd/operations.hpp"
#include "models/count_blocks.hpp"

namespace statera {

LanguageModel::LanguageModel(const ModelConfig& config)
    : d_model_(config.d_model), vocab_(config.vocab_size), input_(config), output_(config, input_.table()) {
  check_block_count(config);
  const std::vector<BlockConfig> layers = layers_of(config);
  const Place place{.d_in = d_model_,
                    .d_out = d_model_,
                    .layer = 0,
                    .residual_scale = initial_scale(config.residual_init, count_sublayers(layers), config.where),
                    .scope = "",
                    .make = make_any_mixer,
                    .make_stack = make_inner_stack,
                    .side = nullptr,
                    .losses = &losses_,
                    .ids = vocab_};
  stack_ = std::make_unique<Stack>(layers, config.norm_eps, place, config.where);
  StateLayout layout;
  stack_->declare(SlotScope(layout));
  layout_ = std::make_shared<const StateLayout>(std::move(layout));
}

namespace {
// The tape gets a copy, since `last` of this pass may be the same object.
std::span<Var> initial_vars(Tape& tape, const CarriedState& carried) {
  Var* vars = memory_of(tape).allocate_array<Var>(static_cast<int64_t>(carried.slots.size()));
  for (size_t i = 0; i < carried.slots.size(); ++i) {
    const Tensor& tensor = carried.slots[i];
    const View kept = memory_of(tape).allocate(tensor.dtype(), tensor.shape());
    copy(tensor, kept);
    vars[i] = tape.constant(kept);
  }
  return {vars, carried.slots.size()};
}

template <class T>
std::span<T> array(Arena& memory, size_t count, T value) {
  T* values = memory.allocate_array<T>(static_cast<int64_t>(count));
  std::uninitialized_fill_n(values, count, value);
  return {values, count};
}

// There must be one state per sequence: states of another batch would be those of another text.
void check_carried(const CarriedState& carried, const StateLayout& layout, size_t sequences) {
  require(carried.slots.size() == layout.slots.size(), ErrorCode::shape, "[model] the carried state has ",
          carried.slots.size(), " tensors, the model ", layout.slots.size());
  for (const Tensor& tensor : carried.slots)
    require(tensor.shape()[0] == static_cast<int64_t>(sequences), ErrorCode::shape, "[model] the carried state is of ",
            tensor.shape()[0], " sequences, the batch has ", sequences,
            "; lanes with several sequences need sequences_from_lanes (statera/carry.hpp)");
  require(carried.positions.size() == static_cast<size_t>(layout.clocks) * sequences, ErrorCode::shape,
          "[model] the carried state has ", carried.positions.size(), " positions, expected ",
          static_cast<size_t>(layout.clocks) * sequences);
}

void keep_state(Tape& tape, const ForwardPass& pass, CarriedState& carried) {
  carried.slots.resize(pass.last.size());
  for (size_t i = 0; i < pass.last.size(); ++i) {
    const View v = tape.value(pass.last[i]);
    Tensor& kept = carried.slots[i];
    if (kept.empty() || !(kept.shape() == v.shape)) kept = Tensor(v.dtype, v.shape);
    copy(v, kept);
  }
  carried.positions.assign(pass.ended.begin(), pass.ended.end());
}
}  // namespace

Var LanguageModel::forward(Tape& tape, std::span<const int32_t> ids, const Rows& given,
                           const ForwardOptions& options) const {
  check_rows("model", given, static_cast<int64_t>(ids.size()));
  const FlushDenormals flush(exec_of(tape).pool);
  const Rows rows = keep(tape, given);
  const auto S = static_cast<size_t>(rows.sequences());
  const std::span<int32_t> kept = array(memory_of(tape), ids.size(), int32_t{0});
  std::ranges::copy(ids, kept.begin());
  ForwardPass pass{.tape = tape, .ids = kept, .dropout = {options.dropout, options.dropout_seed}};
  Var x = input_.forward(tape, ids, rows, pass.dropout);
  if (options.initial && !options.initial->empty()) {
    check_carried(*options.initial, *layout_, S);
    pass.initial = initial_vars(tape, *options.initial);
    const std::span<int64_t> started = array(memory_of(tape), options.initial->positions.size(), int64_t{0});
    std::ranges::copy(options.initial->positions, started.begin());
    pass.started = started;
  }
  if (options.last) {
    pass.last = array(memory_of(tape), layout_->slots.size(), Var());
    pass.ended = array(memory_of(tape), layout_->clocks * S, int64_t{0});
  }
  pass.losses = array(memory_of(tape), losses_.size(), Var());
  pass.progress = options.progress;
  if (options.inner_rows) pass.inner_rows = array(memory_of(tape), layout_->clocks, InnerRows{});
  x = stack_->forward(pass, x, rows, {}, options.checkpoint);
  if (options.last) keep_state(tape, pass, *options.last);
  if (options.inner_rows) options.inner_rows->assign(pass.inner_rows.begin() + 1, pass.inner_rows.end());
  if (options.losses) options.losses->assign(pass.losses.begin(), pass.losses.end());
  return output_.forward(tape, x);
}

void LanguageModel::advance(AdvancePass& pass, std::span<const int32_t> ids, const Rows& rows,
                            const View& logits) const {
  const auto n = static_cast<int64_t>(ids.size());
  check_rows("model", rows, n);
  Exec& exec = pass.exec;
  const FlushDenormals flush(exec.pool);
  const ArenaScope scope(exec.scratch);
  const DType dtype = input_.dtype();
  const View x = exec.scratch.allocate(dtype, {n, d_model_});
  input_.advance(exec, ids, rows, x);
  pass.ids = ids;
  stack_->advance(pass, x, rows, {}, 0);
  if (logits.empty()) return;
  View last = x;
  if (logits.rows() != n) {
    last = exec.scratch.allocate(dtype, {rows.sequences(), d_model_});
    for (int64_t s = 0; s < rows.sequences(); ++s)
      copy(x.row_range(rows.begin(s) + rows.length(s) - 1, 1), last.row_range(s, 1));
  }
  output_.advance(exec, last, logits);
}

void LanguageModel::visit_parameters(ParameterVisitor& visitor) {
  input_.visit_parameters(visitor);
  stack_->visit_parameters(visitor);
  output_.visit_parameters(visitor);
}

ModelCost LanguageModel::cost(int64_t length, int64_t context) const {
  const double head = 2.0 * static_cast<double>(d_model_ * vocab_);
  const Cost forward = stack_->cost(Pass::forward, length, context),
             backward = stack_->cost(Pass::backward, length, context), step = stack_->cost(Pass::step, 1, context);
  return {.forward_flops = head + forward.flops,
          .training_flops = 3 * head + forward.flops + backward.flops,
          .step_flops = head + step.flops,
          .state_bytes = forward.state_bytes};
}

}  // namespace statera
