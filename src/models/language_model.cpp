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
  const std::vector<std::string> names = config.layer_list();
  for (size_t i = 0; i < names.size(); ++i)
    blocks_.push_back(std::make_unique<Block>(config, JsonText{config.mixers.at(names[i]), config.where + ": mixers." + names[i]}, static_cast<int>(i)));
  if (!config.tied) output_ = std::make_unique<Linear>("output", d_model_, vocab_, LinearOptions{.fewest = output_fewest});
  else
    embedding_.allocated = [this] {
      const View grad = embedding_.grad;
      tied_.bind(embedding_.value.view().row_range(0, vocab_), grad.empty() ? grad : grad.row_range(0, vocab_), &embedding_.version);
    };
}

namespace {
// One block, with or without keeping its insides.
Var run_block(Tape& tape, const Block& block, Var x, const Rows& rows, const StateVars* initial, StateVars* last, const Dropout& drop,
              bool checkpointed) {
  if (!checkpointed) return block.forward(tape, x, rows, initial, last, drop);
  std::array<Var, 1 + StateVars::most> in, out;
  in[0] = x;
  if (initial) std::copy(initial->vars.begin(), initial->vars.end(), in.begin() + 1);
  const Block* b = &block;
  const bool has_initial = initial != nullptr, wants_last = last != nullptr;
  const size_t count = initial ? initial->count : 0;
  checkpoint(tape, in, out, [b, rows, has_initial, wants_last, count, drop](Tape& t, std::span<const Var> i, std::span<Var> o) {
    StateVars first, end;
    std::copy(i.begin() + 1, i.end(), first.vars.begin());
    first.count = count;
    o[0] = b->forward(t, i[0], rows, has_initial ? &first : nullptr, wants_last ? &end : nullptr, drop);
    std::copy(end.vars.begin(), end.vars.end(), o.begin() + 1);
  });
  if (last)
    for (size_t i = 0; i < StateVars::most && out[i + 1]; ++i) last->push_back(out[i + 1]);
  return out[0];
}

StateVars state_vars(Tape& tape, const std::vector<Tensor>& tensors) {
  StateVars vars;
  for (const Tensor& tensor : tensors) {  // a copy: `last` of this pass may be the same object
    const View kept = tape.memory().allocate(tensor.dtype(), tensor.shape());
    copy(tensor, kept);
    vars.push_back(tape.constant(kept));
  }
  return vars;
}

void keep_state(Tape& tape, const StateVars& vars, std::vector<Tensor>& tensors) {
  tensors.resize(vars.count);
  for (size_t i = 0; i < vars.count; ++i) {
    const View v = tape.value(vars.vars[i]);
    if (tensors[i].empty() || !(tensors[i].shape() == v.shape)) tensors[i] = Tensor(v.dtype, v.shape);
    copy(v, tensors[i]);
  }
}
}  // namespace

Var LanguageModel::forward(Tape& tape, std::span<const int32_t> ids, const Rows& given, const ForwardOptions& options) const {
  check_rows("model", given, static_cast<int64_t>(ids.size()));
  const FlushDenormals flush;
  const Rows rows = tape.keep(given);
  const Dropout drop{options.dropout, options.dropout_seed};
  const Var embedded = embedding(tape, ids, tape.leaf(embedding_.value, embedding_.grad));
  Var x = dropout(tape, embedded, drop, "embedding");
  const bool carried = options.initial && !options.initial->empty();
  if (options.last) options.last->layers.resize(blocks_.size());
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const StateVars initial = carried ? state_vars(tape, options.initial->layers[i]) : StateVars();
    StateVars last;
    x = run_block(tape, *blocks_[i], x, rows, carried ? &initial : nullptr, options.last ? &last : nullptr, drop, options.checkpoint);
    if (options.last) keep_state(tape, last, options.last->layers[i]);
  }
  x = norm_(tape, x);
  return output_ ? (*output_)(tape, x) : matmul(tape, x, tied_);
}

void LanguageModel::advance(Context& context, std::span<const int32_t> ids, const Rows& rows, std::span<SequenceState* const> states,
                            const View& logits) const {
  const auto n = static_cast<int64_t>(ids.size());
  check_rows("model", rows, n);
  const FlushDenormals flush;
  Exec& exec = context.exec;
  const ArenaScope scope(exec.scratch);
  const DType dtype = embedding_.value.dtype();
  const View x = exec.scratch.allocate(dtype, {n, d_model_});
  embedding(exec, ids, embedding_.value, x);
  State** layer_states = exec.scratch.allocate_array<State*>(rows.sequences());
  for (size_t i = 0; i < blocks_.size(); ++i) {
    for (size_t s = 0; s < states.size(); ++s) {
      State& state = states[s]->layers[i];
      require(state.position() == rows.start[s], ErrorCode::shape, "[model] sequence ", s, " is at row ", state.position(), ", not ",
              rows.start[s]);
      state.reserve(state.position() + rows.length(static_cast<int64_t>(s)));
      layer_states[s] = &state;
    }
    blocks_[i]->advance(context, x, rows, {layer_states, states.size()});
    for (size_t s = 0; s < states.size(); ++s) {
      State& state = *layer_states[s];
      state.set_position(rows.start[s] + rows.length(static_cast<int64_t>(s)));
      state.drop_before(first_looked_at(i, state.position(), context.max_keys));
    }
  }
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

int64_t LanguageModel::first_looked_at(size_t layer, int64_t rows, int64_t max_keys) const {
  const int64_t window = blocks_[layer]->mixer().window(), sees = window && max_keys ? std::min(window, max_keys) : std::max(window, max_keys);
  return sees > 0 ? std::max<int64_t>(0, rows + 1 - sees) : 0;
}

void LanguageModel::quantise_tied(ThreadPool& pool) {
  if (!output_) tied_.quantise(pool, embedding_.value.view().row_range(0, vocab_), output_fewest);
}

double LanguageModel::tied_bytes() const { return output_ ? 0 : tied_.bytes(); }

SequenceState LanguageModel::new_state(DType dtype) const {
  SequenceState state;
  for (const auto& block : blocks_) state.layers.emplace_back(block->mixer().state_layout(), dtype);
  return state;
}

void LanguageModel::visit_parameters(ParameterVisitor& visitor) {
  visitor.visit(embedding_);
  for (const auto& block : blocks_) block->visit_parameters(visitor);
  norm_.visit(visitor);
  if (output_) output_->visit(visitor);
}

ModelCost LanguageModel::cost(int64_t length, int64_t context) const {
  ModelCost total;
  const double head = 2.0 * static_cast<double>(d_model_ * vocab_);
  total = {head, 3 * head, head, 0};
  for (const auto& block : blocks_) {
    const double mlp = block->mlp_flops();
    const Cost forward = block->mixer().cost(Pass::forward, length, context);
    total.forward_flops += mlp + forward.flops;
    total.training_flops += 3 * mlp + forward.flops + block->mixer().cost(Pass::backward, length, context).flops;
    total.step_flops += mlp + block->mixer().cost(Pass::step, 1, context).flops;
    total.state_bytes += forward.state_bytes;
  }
  return total;
}

}  // namespace statera
