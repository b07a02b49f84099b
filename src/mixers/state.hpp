// State is data, not code: the named tensors that one mixer remembers of one sequence, and its position. From the layout alone come
// bytes, clone, fork, save, load and hash, for any hybrid.
//
// A fixed tensor has one size for ever (conv_state, ssm_state). A growing one (keys, values) lives in refcounted blocks of
// `block_positions` positions, aligned to the start of the sequence. Copying a State shares full blocks; a block that is written
// to is first made its own (reserve). Not thread safe; distinct States may be used from distinct threads.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "statera/tensor.hpp"

namespace statera {

struct StateTensor {
  std::string name;
  Shape shape;          // of the whole, or of one block
  bool grows = false;
};
using StateLayout = std::vector<StateTensor>;

class State {
 public:
  static constexpr int64_t block_positions = 64;

  State(StateLayout layout, DType dtype);
  State(const State& other);  // fork: fixed tensors are copied, blocks shared
  State(State&&) noexcept = default;
  State& operator=(const State& other);
  State& operator=(State&&) noexcept = default;

  const StateLayout& layout() const { return layout_; }
  DType dtype() const { return dtype_; }
  int64_t position() const { return position_; }
  void set_position(int64_t position) { position_ = position; }  // by the model, after an advance

  View fixed(size_t tensor) const { return fixed_[tensor]; }

  // Growing tensors. Blocks for the positions [position(), until) exist afterwards and belong to this State alone. Throws bad_alloc.
  void reserve(int64_t until);
  // Block b, counted from position 0, is at blocks(tensor)[b - first_block()]; valid until the next reserve or drop_before.
  void* const* blocks(size_t tensor) const { return growing_[tensor].pointers.data(); }
  int64_t first_block() const { return first_block_; }
  void drop_before(int64_t position);   // frees blocks wholly before it: a window has passed them
  bool grows() const;                   // has growing tensors
  bool can_truncate() const;            // no fixed tensors
  void truncate(int64_t position);      // forgets what came at and after it; throws unsupported if there are fixed tensors

  void clear();                         // back to position 0: zeros and no blocks
  size_t bytes() const;                 // of fixed tensors and of blocks, shared ones too
  size_t snapshot_bytes() const;        // what one more copy costs: fixed tensors and the block that is being filled
  bool same_layout(const State& other) const;

  // For saving and loading.
  std::vector<Tensor> join_blocks() const;  // one a growing tensor, [blocks, ...], in layout order
  void load_blocks(int64_t first_block, const std::vector<View>& tensors);  // as join_blocks gave them

 private:
  struct Growing {
    std::vector<std::shared_ptr<Tensor>> blocks;
    std::vector<void*> pointers;
  };
  StateLayout layout_;
  DType dtype_;
  int64_t position_ = 0, first_block_ = 0;
  std::vector<Tensor> fixed_;     // empty where the tensor grows
  std::vector<Growing> growing_;  // empty where it is fixed
};

}  // namespace statera
