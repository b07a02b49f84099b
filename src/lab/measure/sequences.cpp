#include "lab/measure/sequences.hpp"

#include <algorithm>
#include <cmath>

#include "lab/timing.hpp"
#include "models/language_model.hpp"

namespace statera {

Sequences::Sequences(const Model& model, int64_t batch, std::span<const int32_t> ids)
    : model_(model), ids_(ids.begin(), ids.end()) {
  if (ids_.empty()) ids_.push_back('e');
  for (int64_t s = 0; s < batch; ++s) states_.push_back(modules_of(model).new_state(model.dtype()));
  for (State& state : states_) pointers_.push_back(&state);
  if (clocks() == 1) return;
  constexpr int64_t read_first = 1024;  // ids; enough to see how often a router cuts
  for (State& state : states_) state.reserve(read_first);
  read(read_first, read_first);
  for (size_t clock = 1; clock < clocks(); ++clock)
    paces_.push_back(static_cast<double>(states_.front().position(clock)) / read_first);
  for (State& state : states_) state.clear();
}

void Sequences::place(int64_t context, int64_t rows) {
  // Each clock stands where it would be at this pace. No clock advances faster than the stack around it.
  const auto at = [&](int64_t position, size_t clock) {
    return clock == 0 ? position : std::llround(paces_[clock - 1] * static_cast<double>(position));
  };
  for (State& state : states_) {
    const auto& slots = state.layout().slots;
    if (std::ranges::any_of(slots, [](const StateSlot& slot) { return slot.window > 0; })) state.clear();
    for (size_t i = 0; i < slots.size(); ++i)
      if (slots[i].window > 0)
        state.drop_before(i, std::max<int64_t>(0, at(context - rows, slots[i].clock) + 1 - slots[i].window));
    for (size_t clock = 0; clock < clocks(); ++clock) state.set_position(at(context - rows, clock), clock);
    state.reserve(context);  // an inner stack makes room for itself
  }
}

double Sequences::read(int64_t context, int64_t rows) {
  const auto n = static_cast<int64_t>(states_.size());
  std::vector<int32_t> ids(static_cast<size_t>(n * rows));
  for (int32_t& id : ids) id = ids_[next_++ % ids_.size()];
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

double Sequences::step(int64_t context) {
  const int64_t steps = clocks() == 1 ? 1 : 24;
  double seconds = 0;
  for (int64_t i = 0; i < steps; ++i) {
    place(context, 1);
    seconds += read(context, 1);
  }
  return seconds / static_cast<double>(steps);
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
