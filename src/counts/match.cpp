#include "counts/match.hpp"

#include <algorithm>
#include <bit>

#include "counts/hash.hpp"

namespace statera::counts {

namespace {
constexpr uint32_t longest = 400;  // more is not counted
constexpr uint32_t sure = 16;      // a match of at least this length is not replaced by another place
constexpr int most_wrong = 7;      // of the last eight
}  // namespace

void Match::advance(const Text& text) {
  if (from_ > 0) {
    const bool wrong = text[from_] != text.back(1);
    length_ = wrong ? 0 : std::min(length_ + 1, longest);
    wrong_ = (wrong_ << 1 | (wrong ? 1u : 0u)) & 255;
    ++from_;
    if (!text.holds(from_) || std::popcount(wrong_) > most_wrong) from_ = 0, length_ = 0;
  }
  if (text.size() < shortest_) return;
  uint64_t hash = shortest_;
  for (size_t i = 1; i <= shortest_; ++i) hash = mix_hash(hash, text.back(i));
  uint32_t& place = places_[static_cast<size_t>(((hash >> 32) * places_.size()) >> 32)];
  if (length_ < sure && place != 0) look(text, place);
  place = static_cast<uint32_t>(text.size());
}

void Match::look(const Text& text, uint32_t place) {
  const uint64_t from = text.size() - static_cast<uint32_t>(static_cast<uint32_t>(text.size()) - place);
  if (!text.holds(from) || from == from_) return;
  uint32_t common = 0;
  while (common < longest && common < from && text.holds(from - 1 - common) &&
         text[from - 1 - common] == text.back(common + 1))
    ++common;
  if (common >= shortest_ && common > length_) from_ = from, length_ = common, wrong_ = 0;
}

uint32_t Match::situation() const {
  const auto wrong = static_cast<uint32_t>(std::popcount(wrong_));
  if (wrong == 0) return length_ < 16 ? length_ : std::min(12 + length_ / 4, 31u);
  return 32 + std::min(wrong - 1, 3u) * 8 + std::min(length_ / 2, 7u);
}

}  // namespace statera::counts
