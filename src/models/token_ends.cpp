#include "models/token_ends.hpp"

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "ops/activation/activation.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/embedding/embedding.hpp"

namespace statera {

namespace {
// an error in this matrix is an error in the logits themselves
constexpr WeightFormat output_fewest = WeightFormat::int8;
}  // namespace

// --- before the stack ---

TokenInput::TokenInput(const ModelConfig& config)
    : embedding_("embedding.weight", {config.vocab_size + (config.begin ? 1 : 0), config.d_model}, init_normal(0.02)),
      scale_(config.embedding_scale) {
  if (config.learned_positions > 0)
    positions_.emplace("positions.weight", Shape{config.learned_positions, config.d_model}, init_normal(0.02));
}

void TokenInput::require_positions(int64_t count) const {
  require(!positions_ || count <= positions_->shape[0], ErrorCode::config, "[model] ", count,
          " positions are more than the ", positions_ ? positions_->shape[0] : 0,
          " of learned_positions; cut the sequence there, or start a new session");
}

std::span<const int32_t> TokenInput::positions(Arena& memory, const Rows& rows) const {
  const int64_t count = rows.offsets.back();
  auto* all = memory.allocate_array<int32_t>(count);
  for (int64_t s = 0; s < rows.sequences(); ++s) {
    const int64_t start = rows.start[static_cast<size_t>(s)];
    require_positions(start + rows.length(s));
    for (int64_t i = 0; i < rows.length(s); ++i) all[rows.begin(s) + i] = static_cast<int32_t>(start + i);
  }
  return {all, static_cast<size_t>(count)};
}

Var TokenInput::forward(Tape& tape, std::span<const int32_t> ids, const Rows& rows, const Dropout& drop) const {
  Var x = scaled(tape, embedding(tape, ids, tape.leaf(embedding_.value, embedding_.grad)), scale_);
  if (positions_)
    x = add(tape, x, embedding(tape, positions(memory_of(tape), rows), tape.leaf(positions_->value, positions_->grad)));
  return dropout(tape, x, drop, "embedding");
}

void TokenInput::advance(Exec& exec, std::span<const int32_t> ids, const Rows& rows, const View& x) const {
  embedding(exec, ids, embedding_.value, x);
  if (scale_ != 1) scaled(exec, x, scale_, x);
  if (!positions_) return;
  const ArenaScope scope(exec.scratch);
  const View learned = exec.scratch.allocate(x.dtype, x.shape);
  embedding(exec, positions(exec.scratch, rows), positions_->value, learned);
  add(exec, x, learned, x);
}

void TokenInput::visit_parameters(ParameterVisitor& visitor) {
  visitor.visit(embedding_);
  if (positions_) visitor.visit(*positions_);
}

// --- after the stack ---

TokenOutput::TokenOutput(const ModelConfig& config, BoundParameter& embedding)
    : embedding_(embedding),
      vocab_(config.vocab_size),
      scale_(config.logit_scale),
      cap_(config.logit_softcap),
      norm_("norm", config.d_model, config.norm_eps, *norm_named(config.norm, "norm", config.where)) {
  if (!config.tied)
    own_ = std::make_unique<Linear>("output", config.d_model, vocab_, LinearOptions{.fewest = output_fewest});
  else
    embedding_.bind = [this] {
      const View grad = embedding_.grad;
      tied_.bind(embedding_.value.view().row_range(0, vocab_), grad.empty() ? grad : grad.row_range(0, vocab_),
                 &embedding_.version);
    };
}

Var TokenOutput::forward(Tape& tape, Var x) const {
  const Var normed = norm_(tape, x), logits = own_ ? (*own_)(tape, normed) : matmul(tape, normed, tied_);
  return cap_ > 0 ? activate(tape, Activation::tanh, logits, {.in = scale_ / cap_, .out = cap_})
                  : scaled(tape, logits, scale_);
}

void TokenOutput::advance(Exec& exec, const View& x, const View& logits) const {
  const ArenaScope scope(exec.scratch);
  const View normed = exec.scratch.allocate(x.dtype, x.shape);
  norm_(exec, x, normed);
  if (own_)
    (*own_)(exec, normed, logits);
  else
    matmul(exec, normed, tied_, logits, {});
  if (cap_ > 0)
    activate(exec, Activation::tanh, logits, logits, {.in = scale_ / cap_, .out = cap_});
  else if (scale_ != 1)
    scaled(exec, logits, scale_, logits);
}

void TokenOutput::visit_parameters(ParameterVisitor& visitor) {
  norm_.visit(visitor);
  if (own_) own_->visit(visitor);
}

void TokenOutput::quantise_tied(ThreadPool& pool) {
  if (!own_) tied_.quantise(pool, embedding_.value.view().row_range(0, vocab_), output_fewest);
}

double TokenOutput::tied_bytes() const { return own_ ? 0 : tied_.bytes(); }

}  // namespace statera
