#include "lab/measure/sequences.hpp"

#include <algorithm>

#include "lab/timing.hpp"
#include "models/language_model.hpp"

namespace statera {

Sequences::Sequences(const Model& model, int64_t batch) : model_(model) {
  for (int64_t s = 0; s < batch; ++s) states_.push_back(model.layers().new_state(model.dtype()));
  for (SequenceState& state : states_) pointers_.push_back(&state);
}

void Sequences::place(int64_t context, int64_t rows) {
  const auto& blocks = model_.layers().blocks();
  for (SequenceState& state : states_)
    for (size_t layer = 0; layer < blocks.size(); ++layer) {
      State& s = state.layers[layer];
      if (const int64_t window = blocks[layer]->mixer().window(); window > 0) {
        s.clear();
        s.drop_before(std::max<int64_t>(0, context - rows + 1 - window));
      }
      s.set_position(context - rows);
      s.reserve(context);
    }
}

double Sequences::read(int64_t context, int64_t rows) {
  const auto n = static_cast<int64_t>(states_.size());
  const std::vector<int32_t> ids(static_cast<size_t>(n * rows), 'e');
  std::vector<int32_t> offsets{0};
  for (int64_t s = 0; s < n; ++s) offsets.push_back(static_cast<int32_t>((s + 1) * rows));
  const std::vector<int64_t> start(static_cast<size_t>(n), context - rows);
  const ArenaScope scope(scratch_);
  const View logits = scratch_.allocate(model_.dtype(), {n, model_.layers().vocab_size()});
  Context how{{model_.device().pool(), scratch_, model_.device().kernels()}, 0};
  const double begin = clock_seconds();
  model_.layers().advance(how, ids, {offsets, start}, pointers_, logits);
  return clock_seconds() - begin;
}

double Sequences::bytes() const {
  double total = 0;
  for (const SequenceState& state : states_) total += static_cast<double>(state.bytes());
  return total;
}

double Sequences::step_bytes() const {
  double total = bytes();
  for (const SequenceState& state : states_)
    for (const State& layer : state.layers)
      for (size_t i = 0; i < layer.layout().size(); ++i)
        if (!layer.layout()[i].grows) total += static_cast<double>(layer.fixed(i).bytes());
  return total;
}

}  // namespace statera
