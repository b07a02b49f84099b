#include "lab/measure/sequences.hpp"

#include <algorithm>

#include "lab/timing.hpp"
#include "models/language_model.hpp"

namespace statera {

Sequences::Sequences(const Model& model, int64_t batch) : model_(model) {
  for (int64_t s = 0; s < batch; ++s) states_.push_back(modules_of(model).new_state(model.dtype()));
  for (State& state : states_) pointers_.push_back(&state);
}

void Sequences::place(int64_t context, int64_t rows) {
  for (State& state : states_) {
    const auto& slots = state.layout().slots;
    if (std::ranges::any_of(slots, [](const StateSlot& slot) { return slot.window > 0; })) state.clear();
    for (size_t i = 0; i < slots.size(); ++i)
      if (slots[i].window > 0) state.drop_before(i, std::max<int64_t>(0, context - rows + 1 - slots[i].window));
    state.set_position(context - rows);
    state.reserve(context);
  }
}

double Sequences::read(int64_t context, int64_t rows) {
  const auto n = static_cast<int64_t>(states_.size());
  const std::vector<int32_t> ids(static_cast<size_t>(n * rows), 'e');
  std::vector<int32_t> offsets{0};
  for (int64_t s = 0; s < n; ++s) offsets.push_back(static_cast<int32_t>((s + 1) * rows));
  const std::vector<int64_t> start(static_cast<size_t>(n), context - rows);
  const ArenaScope scope(scratch_);
  const View logits = scratch_.allocate(model_.dtype(), {n, modules_of(model_).vocab_size()});
  AdvancePass pass{.exec = {pool_of(model_.device()), scratch_, model_.device().kernels()}, .states = pointers_};
  const double begin = clock_seconds();
  modules_of(model_).advance(pass, ids, {offsets, start}, logits);
  return clock_seconds() - begin;
}

double Sequences::bytes() const {
  double total = 0;
  for (const State& state : states_) total += static_cast<double>(state.bytes());
  return total;
}

double Sequences::step_bytes() const {
  double total = bytes();
  for (const State& state : states_)
    for (size_t i = 0; i < state.layout().slots.size(); ++i)
      if (!state.layout().slots[i].grows) total += static_cast<double>(state.fixed(i).bytes());
  return total;
}

}  // namespace statera
