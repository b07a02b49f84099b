// State is data, not code: the tensors that the mixers of a model remember of one sequence, and how many positions of
// it they have read. Mixers declare them once (StateLayout); from the declaration alone come bytes, fork, rewind, save,
// load and hash, for any model.
//
// A fixed tensor has one size for ever (conv_state, ssm_state). A growing one (keys, values) lives in blocks of
// `block_positions` positions, aligned to the start of the sequence. Positions are counted by clocks: clock 0 by the
// model's own positions, and one more for each inner stack, which may advance by fewer.
//
// Copying a State (a fork, a snapshot) copies no tensor: both share them until one is about to be written, which
// reserve() says. Not thread safe; distinct States may be used from distinct threads.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "statera/tensor.hpp"

namespace statera {

// One tensor of a state.
struct StateSlot {
  std::string name;  // "layers.3.mixer.conv_state", once in a model
  Shape shape;       // of the whole, or of one block
  bool grows = false;
  // of a growing one: the positions that are read, the newest included; 0: all. Blocks before may be dropped
  int64_t window = 0;
  size_t clock = 0;  // which counts its positions
};

// What a model remembers: slots in the order of the mixers. A mixer knows its slots by the number of its first one.
struct StateLayout {
  std::vector<StateSlot> slots;
  size_t clocks = 1;
  // positions of the model after which all its mixers are at a border of their chunks, so that a cut there changes no
  // bit
  int64_t grid = 1;
};

// Where a mixer declares its slots: the layout, the prefix of its names, its clock.
class SlotScope {
 public:
  explicit SlotScope(StateLayout& layout, std::string prefix = "", size_t clock = 0, int64_t every = 1)
      : layout_(layout), prefix_(std::move(prefix)), clock_(clock), every_(every) {}
  void fixed(const std::string& name, const Shape& shape) {
    layout_.slots.push_back({prefix_ + name, shape, false, 0, clock_});
  }
  void growing(const std::string& name, const Shape& block, int64_t window) {
    layout_.slots.push_back({prefix_ + name, block, true, window, clock_});
  }
  SlotScope inner(const std::string& name) const {
    return SlotScope(layout_, prefix_ + name + ".", clock_, every_);
  }  // of a part
  // Of a part that advances by itself: by one position in `every` of those around it; 0: how often is not known before.
  SlotScope with_clock(int64_t every) const { return SlotScope(layout_, prefix_, layout_.clocks++, every_ * every); }
  // The mixer takes so many positions at a time, from the start of the sequence on, and a cut within them changes bits.
  // Throws config if the chunks of a model have no common border within State::most_grid positions.
  void chunked(int64_t positions) const;
  size_t clock() const { return clock_; }

 private:
  StateLayout& layout_;
  std::string prefix_;
  size_t clock_;
  int64_t every_;
};

class State {
 public:
  static constexpr int64_t block_positions = 64;
  static constexpr int64_t most_grid = 1 << 14;

  State(std::shared_ptr<const StateLayout> layout, DType dtype);
  State(const State&) = default;  // shares every tensor
  State(State&&) noexcept = default;
  State& operator=(const State&) = default;
  State& operator=(State&&) noexcept = default;

  const StateLayout& layout() const { return *layout_; }
  DType dtype() const { return dtype_; }
  int64_t position(size_t clock = 0) const { return positions_[clock]; }  // positions that were read, `begin` included
  void set_position(int64_t position, size_t clock = 0) { positions_[clock] = position; }

  // What a call that advances the clock to `until` will write is there afterwards, and belongs to this State alone:
  // fixed tensors, and blocks for the positions [position(clock), until). Throws bad_alloc.
  void reserve(int64_t until, size_t clock = 0);

  View fixed(size_t slot) const { return slots_[slot].whole->view(); }  // written only behind reserve()
  // Growing tensors: block b, counted from position 0, is at blocks(slot)[b - first_block(slot)]; valid until the next
  // reserve or drop_before.
  void* const* blocks(size_t slot) const { return slots_[slot].pointers.data(); }
  int64_t first_block(size_t slot) const { return slots_[slot].first_block; }
  void drop_before(size_t slot, int64_t position);  // frees blocks wholly before it: a window has passed them

  bool grows() const;    // has growing tensors
  void clear();          // back to position 0: zeros and no blocks
  size_t bytes() const;  // of fixed tensors and of blocks, shared ones too
  // what one more copy costs once this State has gone on: fixed tensors and the blocks that are being filled
  size_t snapshot_bytes() const;
  bool same_layout(const State& other) const;

  // For saving and loading.
  Tensor join_blocks(size_t slot) const;  // [blocks, elements of one]
  void load_blocks(size_t slot, int64_t first_block, const View& joined);

 private:
  struct Slot {
    std::shared_ptr<Tensor> whole;                // of a fixed tensor
    std::vector<std::shared_ptr<Tensor>> blocks;  // of a growing one
    std::vector<void*> pointers;
    int64_t first_block = 0;
  };
  std::shared_ptr<const StateLayout> layout_;
  DType dtype_;
  std::vector<int64_t> positions_;  // of each clock
  std::vector<Slot> slots_;
};

}  // namespace statera
