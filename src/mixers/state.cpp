#include "mixers/state.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace statera {

State::State(StateLayout layout, DType dtype) : layout_(std::move(layout)), dtype_(dtype), growing_(layout_.size()) {
  for (const StateTensor& tensor : layout_) fixed_.push_back(tensor.grows ? Tensor() : Tensor(dtype, tensor.shape));
}

State::State(const State& other)
    : layout_(other.layout_), dtype_(other.dtype_), position_(other.position_), first_block_(other.first_block_), growing_(other.growing_) {
  for (const Tensor& tensor : other.fixed_) fixed_.push_back(tensor.clone());
}

State& State::operator=(const State& other) {
  if (this != &other) *this = State(other);
  return *this;
}

void State::reserve(int64_t until) {
  for (size_t i = 0; i < layout_.size(); ++i) {
    if (!layout_[i].grows) continue;
    Growing& growing = growing_[i];
    const int64_t wanted = (until + block_positions - 1) / block_positions - first_block_;
    while (static_cast<int64_t>(growing.blocks.size()) < wanted) {
      growing.blocks.push_back(std::make_shared<Tensor>(dtype_, layout_[i].shape));
      growing.pointers.push_back(growing.blocks.back()->view().data);
    }
    for (auto b = static_cast<size_t>(std::max<int64_t>(0, position_ / block_positions - first_block_)); b < growing.blocks.size(); ++b)
      if (growing.blocks[b].use_count() > 1) {
        growing.blocks[b] = std::make_shared<Tensor>(growing.blocks[b]->clone());
        growing.pointers[b] = growing.blocks[b]->view().data;
      }
  }
}

void State::drop_before(int64_t position) {
  const int64_t drop = position / block_positions - first_block_;
  if (drop <= 0) return;
  for (Growing& growing : growing_) {
    const auto n = std::min<ptrdiff_t>(drop, static_cast<ptrdiff_t>(growing.blocks.size()));
    growing.blocks.erase(growing.blocks.begin(), growing.blocks.begin() + n);
    growing.pointers.erase(growing.pointers.begin(), growing.pointers.begin() + n);
  }
  first_block_ += drop;
}

bool State::grows() const {
  return std::any_of(layout_.begin(), layout_.end(), [](const StateTensor& tensor) { return tensor.grows; });
}

bool State::can_truncate() const {
  return std::all_of(layout_.begin(), layout_.end(), [](const StateTensor& tensor) { return tensor.grows; });
}

void State::truncate(int64_t position) {
  require(can_truncate() && position >= first_block_ * block_positions && position <= position_, ErrorCode::unsupported,
          "[state] cannot go back from position ", position_, " to ", position);
  const auto keep = static_cast<size_t>((position + block_positions - 1) / block_positions - first_block_);
  for (Growing& growing : growing_) {
    growing.blocks.resize(std::min(keep, growing.blocks.size()));
    growing.pointers.resize(growing.blocks.size());
  }
  position_ = position;
}

void State::clear() {
  position_ = first_block_ = 0;
  for (Growing& growing : growing_) growing = {};
  for (const Tensor& tensor : fixed_)
    if (!tensor.empty()) fill_zero(tensor);
}

size_t State::bytes() const {
  size_t total = 0;
  for (const Tensor& tensor : fixed_) total += tensor.empty() ? 0 : tensor.view().bytes();
  for (size_t i = 0; i < layout_.size(); ++i)
    total += growing_[i].blocks.size() * static_cast<size_t>(layout_[i].shape.elements()) * size_of(dtype_);
  return total;
}

size_t State::snapshot_bytes() const {
  size_t total = 0;
  for (const StateTensor& tensor : layout_) total += static_cast<size_t>(tensor.shape.elements()) * size_of(dtype_);
  return total;
}

bool State::same_layout(const State& other) const {
  const auto same = [](const StateTensor& a, const StateTensor& b) { return a.name == b.name && a.shape == b.shape && a.grows == b.grows; };
  return dtype_ == other.dtype_ && std::equal(layout_.begin(), layout_.end(), other.layout_.begin(), other.layout_.end(), same);
}

std::vector<Tensor> State::join_blocks() const {
  std::vector<Tensor> joined;
  for (size_t i = 0; i < layout_.size(); ++i) {
    if (!layout_[i].grows) continue;
    const auto count = static_cast<int64_t>(growing_[i].blocks.size()), elements = layout_[i].shape.elements();
    Tensor all(dtype_, {count, elements});
    for (int64_t b = 0; b < count; ++b)
      copy(growing_[i].blocks[static_cast<size_t>(b)]->view().reshaped({1, elements}), all.view().row_range(b, 1));
    joined.push_back(std::move(all));
  }
  return joined;
}

void State::load_blocks(int64_t first_block, const std::vector<View>& tensors) {
  first_block_ = first_block;
  size_t next = 0;
  for (size_t i = 0; i < layout_.size(); ++i) {
    if (!layout_[i].grows) continue;
    const View& all = tensors.at(next++);
    growing_[i] = {};
    for (int64_t b = 0; b < all.rows(); ++b) {
      auto block = std::make_shared<Tensor>(dtype_, layout_[i].shape);
      copy(all.row_range(b, 1), block->view().reshaped({1, layout_[i].shape.elements()}));
      growing_[i].pointers.push_back(block->view().data);
      growing_[i].blocks.push_back(std::move(block));
    }
  }
}

}  // namespace statera
