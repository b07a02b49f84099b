#include "mixers/state.hpp"

#include <algorithm>
#include <numeric>

#include "core/check.hpp"

namespace statera {

namespace {
// Copy on write: replaces a tensor that other States share by a copy.
void make_own(std::shared_ptr<Tensor>& tensor) {
  if (tensor.use_count() > 1) tensor = std::make_shared<Tensor>(tensor->clone());
}
}  // namespace

void SlotScope::chunked(int64_t positions) const {
  if (positions == 1) return;
  const int64_t grid = std::lcm(layout_.grid, every_ > 0 ? positions * every_ : breaks_);
  require(grid <= State::most_grid, ErrorCode::config, "chunks of ", every_ > 0 ? positions : breaks_, " positions",
          every_ != 1 ? " of an inner stack" : "", " and those of other layers end together only every ", grid,
          " positions, more than ", State::most_grid, "; take powers of 2");
  layout_.grid = grid;
}

State::State(std::shared_ptr<const StateLayout> layout, DType dtype)
    : layout_(std::move(layout)), dtype_(dtype), positions_(layout_->clocks, 0), slots_(layout_->slots.size()) {
  for (size_t i = 0; i < slots_.size(); ++i)
    if (!layout_->slots[i].grows) slots_[i].whole = std::make_shared<Tensor>(this->dtype(i), layout_->slots[i].shape);
}

void State::reserve(int64_t until, size_t clock) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    const StateSlot& declared = layout_->slots[i];
    Slot& slot = slots_[i];
    if (declared.clock != clock) continue;
    if (!declared.grows) {
      make_own(slot.whole);
      continue;
    }
    const int64_t wanted = (until + block_positions - 1) / block_positions - slot.first_block;
    while (static_cast<int64_t>(slot.blocks.size()) < wanted) {
      slot.blocks.push_back(std::make_shared<Tensor>(dtype(i), declared.shape));
      slot.pointers.push_back(slot.blocks.back()->view().data);
    }
    // The call writes the blocks from the current position on; earlier ones stay shared.
    for (auto b = static_cast<size_t>(std::max<int64_t>(0, positions_[clock] / block_positions - slot.first_block));
         b < slot.blocks.size(); ++b) {
      make_own(slot.blocks[b]);
      slot.pointers[b] = slot.blocks[b]->view().data;
    }
  }
}

// Blocks that other States share stay alive there.
void State::drop_before(size_t i, int64_t position) {
  Slot& slot = slots_[i];
  const int64_t drop = position / block_positions - slot.first_block;
  if (drop <= 0) return;
  const auto n = std::min<ptrdiff_t>(drop, static_cast<ptrdiff_t>(slot.blocks.size()));
  slot.blocks.erase(slot.blocks.begin(), slot.blocks.begin() + n);
  slot.pointers.erase(slot.pointers.begin(), slot.pointers.begin() + n);
  slot.first_block += drop;
}

bool State::grows() const {
  return std::ranges::any_of(layout_->slots, [](const StateSlot& slot) { return slot.grows; });
}

void State::clear() {
  std::ranges::fill(positions_, 0);
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.whole)
      slot = {};  // it grows: drop its blocks
    else if (slot.whole.use_count() > 1)
      slot.whole = std::make_shared<Tensor>(dtype(i), layout_->slots[i].shape);
    else
      fill_zero(*slot.whole);
  }
}

size_t State::bytes() const {
  size_t total = 0;
  for (size_t i = 0; i < slots_.size(); ++i)
    total += (slots_[i].whole ? 1 : slots_[i].blocks.size()) * static_cast<size_t>(layout_->slots[i].shape.elements()) *
             size_of(dtype(i));
  return total;
}

// One tensor per slot: a fixed tensor, or the one block of a growing tensor that is being filled.
size_t State::snapshot_bytes() const {
  size_t total = 0;
  for (size_t i = 0; i < slots_.size(); ++i)
    total += static_cast<size_t>(layout_->slots[i].shape.elements()) * size_of(dtype(i));
  return total;
}

bool State::same_layout(const State& other) const {
  const auto same = [](const StateSlot& a, const StateSlot& b) {
    return a.name == b.name && a.shape == b.shape && a.grows == b.grows && a.window == b.window && a.clock == b.clock &&
           a.dtype == b.dtype;
  };
  return dtype_ == other.dtype_ &&
         (layout_ == other.layout_ || std::ranges::equal(layout_->slots, other.layout_->slots, same));
}

Tensor State::join_blocks(size_t i) const {
  const Slot& slot = slots_[i];
  const auto count = static_cast<int64_t>(slot.blocks.size()), elements = layout_->slots[i].shape.elements();
  Tensor all(dtype(i), {count, elements});
  for (int64_t b = 0; b < count; ++b)
    copy(slot.blocks[static_cast<size_t>(b)]->view().reshaped({1, elements}), all.view().row_range(b, 1));
  return all;
}

// The opposite of join_blocks(): each row becomes a block of this State alone.
void State::load_blocks(size_t i, int64_t first_block, const View& joined) {
  Slot& slot = slots_[i];
  slot = {};
  slot.first_block = first_block;
  for (int64_t b = 0; b < joined.rows(); ++b) {
    auto block = std::make_shared<Tensor>(dtype(i), layout_->slots[i].shape);
    copy(joined.row_range(b, 1), block->view().reshaped({1, layout_->slots[i].shape.elements()}));
    slot.pointers.push_back(block->view().data);
    slot.blocks.push_back(std::move(block));
  }
}

}  // namespace statera
