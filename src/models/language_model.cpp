#include "models/language_model.hpp"

#include <algorithm>

#include "ops/embedding/embedding.hpp"

namespace statera {

namespace {
constexpr WeightFormat output_fewest = WeightFormat::int8;  // what errs here errs in the logits themselves
}

LanguageModel::LanguageModel(const ModelConfig& config)
    : d_model_(config.d_model),
      vocab_(config.vocab_size),
      embedding_("embedding.weight", {config.vocab_size + (config.begin ? 1 : 0), config.d_model}, init_normal(0.02)),
      norm_("norm", config.d_model, config.norm_eps) {
  const std::vector<BlockConfig> layers = layers_of(config);
  size_t sublayers = 0;
  for (const BlockConfig& layer : layers) sublayers += layer.size();
  const Place place{.d_in = d_model_, .d_out = d_model_, .layer = 0, .residual_scale = initial_scale(config.residual_init, sublayers, config.where), .scope = "",
                    .make = make_any_mixer, .side = nullptr, .losses = &losses_};
  stack_ = std::make_unique<Stack>(layers, config.norm_eps, place, config.where);
  StateLayout layout;
  stack_->declare(SlotScope(layout));
  layout_ = std::make_shared<const StateLayout>(std::move(layout));
  if (!config.tied) output_ = std::make_unique<Linear>("output", d_model_, vocab_, LinearOptions{.fewest = output_fewest});
  else
    embedding_.allocated = [this] {
      const View grad = embedding_.grad;
      tied_.bind(embedding_.value.view().row_range(0, vocab_), grad.empty() ? grad : grad.row_range(0, vocab_), &embedding_.version);
    };
}

namespace {
// On the tape: a copy, since `last` of this pass may be the same object.
std::span<Var> initial_vars(Tape& tape, const CarriedState& carried) {
  Var* vars = tape.memory().allocate_array<Var>(static_cast<int64_t>(carried.slots.size()));
  for (size_t i = 0; i < carried.slots.size(); ++i) {
    const Tensor& tensor = carried.slots[i];
    const View kept = tape.memory().allocate(tensor.dtype(), tensor.shape());
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

Var LanguageModel::forward(Tape& tape, std::span<const int32_t> ids, const Rows& given, const ForwardOptions& options) const {
  check_rows("model", given, static_cast<int64_t>(ids.size()));
  const FlushDenormals flush;
  const Rows rows = tape.keep(given);
  const auto S = static_cast<size_t>(rows.sequences());
  ForwardPass pass{.tape = tape, .dropout = {options.dropout, options.dropout_seed}};
  const Var embedded = embedding(tape, ids, tape.leaf(embedding_.value, embedding_.grad));
  Var x = dropout(tape, embedded, pass.dropout, "embedding");
  if (options.initial && !options.initial->empty()) {
    pass.initial = initial_vars(tape, *options.initial);
    const std::span<int64_t> started = array(tape.memory(), options.initial->positions.size(), int64_t{0});
    std::ranges::copy(options.initial->positions, started.begin());
    pass.started = started;
  }
  if (options.last) {
    pass.last = array(tape.memory(), layout_->slots.size(), Var());
    pass.ended = array(tape.memory(), layout_->clocks * S, int64_t{0});
  }
  pass.losses = array(tape.memory(), losses_.size(), Var());
  x = stack_->forward(pass, x, rows, {}, options.checkpoint);
  if (options.last) keep_state(tape, pass, *options.last);
  if (options.losses) options.losses->assign(pass.losses.begin(), pass.losses.end());
  x = norm_(tape, x);
  return output_ ? (*output_)(tape, x) : matmul(tape, x, tied_);
}

void LanguageModel::advance(AdvancePass& pass, std::span<const int32_t> ids, const Rows& rows, const View& logits) const {
  const auto n = static_cast<int64_t>(ids.size());
  check_rows("model", rows, n);
  const FlushDenormals flush;
  Exec& exec = pass.exec;
  const ArenaScope scope(exec.scratch);
  const DType dtype = embedding_.value.dtype();
  const View x = exec.scratch.allocate(dtype, {n, d_model_});
  embedding(exec, ids, embedding_.value, x);
  stack_->advance(pass, x, rows, {}, 0);
  if (logits.empty()) return;
  View last = x;
  if (logits.rows() != n) {
    last = exec.scratch.allocate(dtype, {rows.sequences(), d_model_});
    for (int64_t s = 0; s < rows.sequences(); ++s) copy(x.row_range(rows.begin(s) + rows.length(s) - 1, 1), last.row_range(s, 1));
  }
  const View normed = exec.scratch.allocate(dtype, last.shape);
  norm_(exec, last, normed);
  if (output_) (*output_)(exec, normed, logits);
  else matmul(exec, normed, tied_, logits, {});
}

void LanguageModel::quantise_tied(ThreadPool& pool) {
  if (!output_) tied_.quantise(pool, embedding_.value.view().row_range(0, vocab_), output_fewest);
}

double LanguageModel::tied_bytes() const { return output_ ? 0 : tied_.bytes(); }

void LanguageModel::visit_parameters(ParameterVisitor& visitor) {
  visitor.visit(embedding_);
  stack_->visit_parameters(visitor);
  norm_.visit(visitor);
  if (output_) output_->visit(visitor);
}

ModelCost LanguageModel::cost(int64_t length, int64_t context) const {
  const double head = 2.0 * static_cast<double>(d_model_ * vocab_);
  const Cost forward = stack_->cost(Pass::forward, length, context), backward = stack_->cost(Pass::backward, length, context),
             step = stack_->cost(Pass::step, 1, context);
  return {.forward_flops = head + forward.flops, .training_flops = 3 * head + forward.flops + backward.flops, .step_flops = head + step.flops,
          .state_bytes = forward.state_bytes};
}

}  // namespace statera
