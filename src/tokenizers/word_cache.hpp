// The ids of pieces that were encoded before. Most pieces of a text are a few thousand words. Of bounded size: when it
// is full, it forgets everything and starts again. Owns copies of the pieces. Not thread safe.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace statera::tokenizers {

class WordCache {
 public:
  static constexpr size_t longest = 64;  // pieces and lists of ids above that are not kept

  static uint64_t hash(std::string_view piece) {
    uint64_t sum = piece.size() * 0x9e3779b97f4a7c15u;
    const auto mix = [&](uint64_t part) {
      sum = (sum ^ part) * 0xd6e8feb86659fd93u;
      sum ^= sum >> 32;
    };
    while (piece.size() >= 8) {
      uint64_t part;
      std::memcpy(&part, piece.data(), 8);
      mix(part);
      piece.remove_prefix(8);
    }
    uint64_t rest = 0;
    std::memcpy(&rest, piece.data(), piece.size());
    mix(rest);
    return sum;
  }

  // Appends the ids of the piece; false if it is not known.
  bool find(std::string_view piece, uint64_t hash, std::vector<int32_t>& ids) const {
    if (slots_.empty()) return false;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
      const Slot& slot = slots_[i];
      if (slot.size == 0) return false;
      if (slot.hash == hash && slot.size == piece.size() &&
          std::memcmp(text_.data() + slot.text, piece.data(), piece.size()) == 0) {
        ids.insert(ids.end(), ids_.begin() + slot.ids, ids_.begin() + slot.ids + slot.count);
        return true;
      }
    }
  }

  // `piece` is not in it yet, and not empty.
  void add(std::string_view piece, uint64_t hash, std::span<const int32_t> ids) {
    if (piece.size() > longest || ids.size() > longest) return;
    if (slots_.empty() || used_ > slot_count / 2) {
      slots_.assign(slot_count, Slot{});
      text_.clear();
      ids_.clear();
      used_ = 0;
    }
    size_t i = hash & mask;
    while (slots_[i].size != 0) i = (i + 1) & mask;
    slots_[i] = {hash, static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(ids_.size()),
                 static_cast<uint16_t>(piece.size()), static_cast<uint16_t>(ids.size())};
    text_ += piece;
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    ++used_;
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t text = 0, ids = 0;    // where they begin
    uint16_t size = 0, count = 0;  // bytes; ids. size 0: free
  };
  static constexpr size_t slot_count = size_t{1} << 17, mask = slot_count - 1;
  std::vector<Slot> slots_;
  std::string text_;
  std::vector<int32_t> ids_;
  size_t used_ = 0;
};

}  // namespace statera::tokenizers
