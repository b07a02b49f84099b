#include "core/arena.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/check.hpp"

namespace statera {

namespace {
std::atomic<bool> poisoned{false};
constexpr size_t line = 64;
constexpr size_t smallest_block = size_t{1} << 20;
constexpr unsigned char sentinel = 0xA5;
size_t round_up(size_t bytes) { return (bytes + line - 1) / line * line + line; }
}  // namespace

void Arena::set_poison(bool on) { poisoned.store(on); }

void Arena::poison(void* memory, size_t bytes) {
  // all bits set: NaN in every floating-point type
  if (poisoned.load(std::memory_order_relaxed)) std::memset(memory, 0xFF, bytes);
}

Arena::~Arena() { check_sentinels(); }

void Arena::add_block(size_t bytes) {
  Memory memory = allocate_memory(bytes + line);
  auto* begin = static_cast<std::byte*>(memory.get());
  blocks_.push_back({std::move(memory), begin, bytes});
}

void* Arena::allocate(size_t bytes) {
  const size_t size = round_up(bytes);
  while (block_ < blocks_.size() && used_ + size > blocks_[block_].size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    add_block(std::max({size, smallest_block, total_}));
    used_ = 0;
  }
  std::byte* p = blocks_[block_].begin + used_;
  used_ += size;
  total_ += size;
  peak_ = std::max(peak_, total_);
  if (poisoned.load(std::memory_order_relaxed)) {
    poison(p, bytes);
    std::memset(p + bytes, sentinel, size - bytes);
    guards_.push_back({p + bytes, p + size});
  }
  return p;
}

View Arena::allocate(DType dtype, const Shape& shape) {
  return View(allocate(static_cast<size_t>(shape.elements()) * size_of(dtype)), dtype, shape);
}

Arena::Mark Arena::mark() const { return {block_, used_, total_}; }

void Arena::check_sentinels() const noexcept {  // does something only after set_poison(true), in tests
  for (const Guard& guard : guards_)
    for (const std::byte* byte = guard.begin; byte < guard.end; ++byte)
      require(*byte == std::byte{sentinel}, ErrorCode::numeric, "[arena] a kernel wrote beyond its output");
}

void Arena::release(const Mark& mark) {
  if (!guards_.empty()) {
    check_sentinels();
    const auto live = [&](const Guard& guard) {
      for (size_t b = 0; b < mark.block && b < blocks_.size(); ++b)
        if (guard.begin >= blocks_[b].begin && guard.begin < blocks_[b].begin + blocks_[b].size) return true;
      return mark.block < blocks_.size() && guard.begin >= blocks_[mark.block].begin &&
             guard.begin < blocks_[mark.block].begin + mark.used;
    };
    std::erase_if(guards_, [&](const Guard& guard) { return !live(guard); });
  }
  block_ = mark.block;
  used_ = mark.used;
  total_ = mark.total;
}

void Arena::reset() {
  release({});
  if (blocks_.size() > 1) {
    blocks_.clear();
    add_block(peak_ + smallest_block);
  }
}

}  // namespace statera
