// State is data, not code: the tensors that the mixers of a model remember of one sequence, and the number of positions
// that they have read. Mixers declare their tensors once (StateLayout). Size, fork, rewind, save, load and hash of any
// model follow from that declaration.
//
// A fixed tensor keeps its size (conv_state, ssm_state). A growing one (keys, values) lives in blocks of
// `block_positions` positions, aligned to the start of the sequence. Clocks count positions: clock 0 those of the
// model, one more for each inner stack, which may advance by fewer.
//
// Copying a State (fork, snapshot) copies no tensor: the copies share it until one of them is about to write, which it
// announces by reserve(). Thread safety: one State is for one thread at a time; distinct States may be used from
// distinct threads, even where they share tensors.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "statera/tensor.hpp"

namespace statera {

// One tensor of a state.
struct StateSlot {
  std::string name;  // "layers.3.mixer.conv_state"; unique in a model
  Shape shape;       // of the whole tensor, or of one block of a growing one
  bool grows = false;
  // For a growing tensor: how many of the last positions are read, the newest included; 0: all. Older blocks may be
  // freed.
  int64_t window = 0;
  size_t clock = 0;            // the clock that counts its positions
  std::optional<DType> dtype;  // nothing: that of the model
};

// What a model remembers: the slots, in the order of the mixers. A mixer knows the index of its first slot.
struct StateLayout {
  std::vector<StateSlot> slots;
  size_t clocks = 1;
  // The model's chunk grid: after every multiple of this many positions all its mixers are at the end of a chunk, so
  // that a cut there changes no bit.
  int64_t grid = 1;
  // An inner stack whose pace follows from the data has chunks that end wherever the stack around it has passed a
  // multiple of this many positions. A long prompt is read about this many positions at a time.
  static constexpr int64_t unknown_pace_grid = 512;

  // The largest multiple of the grid that is at most `positions`, and at least one grid length.
  int64_t on_grid(int64_t positions) const { return grid * std::max<int64_t>(1, positions / grid); }
};

// Where a mixer declares its slots: the layout, a prefix for their names and their clock. Borrows the layout.
class SlotScope {
 public:
  explicit SlotScope(StateLayout& layout, std::string prefix = "", size_t clock = 0, int64_t every = 1,
                     int64_t breaks = 0)
      : layout_(layout), prefix_(std::move(prefix)), clock_(clock), every_(every), breaks_(breaks) {}
  void fixed(const std::string& name, const Shape& shape, std::optional<DType> dtype = {}) {
    layout_.slots.push_back({.name = prefix_ + name, .shape = shape, .clock = clock_, .dtype = dtype});
  }
  void growing(const std::string& name, const Shape& block, int64_t window, std::optional<DType> dtype = {}) {
    layout_.slots.push_back(
        {.name = prefix_ + name, .shape = block, .grows = true, .window = window, .clock = clock_, .dtype = dtype});
  }
  // the scope of a part of the mixer
  SlotScope inner(const std::string& name) const {
    return SlotScope(layout_, prefix_ + name + ".", clock_, every_, breaks_);
  }
  // The scope of a part that advances by a clock of its own: by one position per `every` positions around it. 0: not
  // known in advance; then its Rows must have a break at each multiple of StateLayout::unknown_pace_grid positions
  // around it, and where the Rows around it have one.
  SlotScope with_clock(int64_t every) const {
    return SlotScope(layout_, prefix_, layout_.clocks++, every_ * every,
                     every_ > 0 && every == 0 ? every_ * StateLayout::unknown_pace_grid : breaks_);
  }
  // Declares that the mixer computes in chunks of this many positions, counted from the start of the sequence, and that
  // a cut within a chunk changes bits. Throws ErrorCode::config if the chunks of a model end together less often than
  // every State::most_grid positions.
  void chunked(int64_t positions) const;
  size_t clock() const { return clock_; }

 private:
  StateLayout& layout_;
  std::string prefix_;
  size_t clock_;
  int64_t every_;   // positions of the model per position here; 0: not known in advance
  int64_t breaks_;  // where every_ is 0: positions of the model from break to break
};

// Owns its tensors, together with the copies that share them. Views of them, and blocks(), are valid until the next
// reserve(), drop_before() or clear().
class State {
 public:
  static constexpr int64_t block_positions = 64;
  static constexpr int64_t most_grid = 1 << 14;

  State(std::shared_ptr<const StateLayout> layout, DType dtype);
  State(const State&) = default;  // shares all tensors
  State(State&&) noexcept = default;
  State& operator=(const State&) = default;
  State& operator=(State&&) noexcept = default;

  const StateLayout& layout() const { return *layout_; }
  DType dtype() const { return dtype_; }  // of the slots that have none of their own
  DType dtype(size_t slot) const { return layout_->slots[slot].dtype.value_or(dtype_); }
  int64_t position(size_t clock = 0) const { return positions_[clock]; }  // positions read so far, `begin` included
  void set_position(int64_t position, size_t clock = 0) { positions_[clock] = position; }

  // Call it before a call that advances the clock to `until`. Afterwards all that the call will write exists and
  // belongs to this State alone: the fixed tensors, and the blocks for positions [position(clock), until). Throws
  // std::bad_alloc.
  void reserve(int64_t until, size_t clock = 0);

  View fixed(size_t slot) const { return slots_[slot].whole->view(); }  // write to it only after reserve()
  // For a growing tensor: block b, counted from position 0, is at blocks(slot)[b - first_block(slot)].
  void* const* blocks(size_t slot) const { return slots_[slot].pointers.data(); }
  int64_t first_block(size_t slot) const { return slots_[slot].first_block; }
  // frees blocks that lie wholly before `position`, when a window has passed them
  void drop_before(size_t slot, int64_t position);

  bool grows() const;    // whether there are growing tensors
  void clear();          // back to position 0, with zeros and no blocks
  size_t bytes() const;  // of all tensors and blocks, shared ones included
  // How much one more copy costs once this State has moved on: its fixed tensors and the blocks that are being filled.
  size_t snapshot_bytes() const;
  bool same_layout(const State& other) const;

  // For saving and loading.
  Tensor join_blocks(size_t slot) const;  // [blocks, elements per block]
  void load_blocks(size_t slot, int64_t first_block, const View& joined);

 private:
  struct Slot {
    std::shared_ptr<Tensor> whole;                // of a fixed tensor
    std::vector<std::shared_ptr<Tensor>> blocks;  // of a growing tensor
    std::vector<void*> pointers;                  // to the data of `blocks`
    int64_t first_block = 0;
  };
  std::shared_ptr<const StateLayout> layout_;
  DType dtype_;
  std::vector<int64_t> positions_;  // by clock
  std::vector<Slot> slots_;
};

}  // namespace statera
