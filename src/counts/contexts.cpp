#include "counts/contexts.hpp"

#include <algorithm>
#include <string_view>

#include "counts/hash.hpp"

namespace statera::counts {

namespace {

bool is_upper(uint8_t c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(uint8_t c) { return c >= 'a' && c <= 'z'; }

uint32_t kind_of(uint8_t c) {
  if (c == '\n' || c == '\r') return 0;
  if (c <= ' ') return 1;
  if (c >= '0' && c <= '9') return 2;
  if (is_lower(c)) return 3;
  if (is_upper(c)) return 4;
  if (c >= 0xc0) return 5;  // begins a character of UTF-8
  if (c >= 0x80) return 6;  // continues one
  return 7;
}

bool opens(uint8_t c) { return std::string_view("<[{(\"=&").find(static_cast<char>(c)) != std::string_view::npos; }

template <class... Parts>
uint64_t hash_of(Parts... parts) {
  uint64_t hash = 0;
  ((hash = mix_hash(hash, uint64_t{parts})), ...);
  return hash;
}

}  // namespace

// Two contexts with equal parts must not share their rows.
void Contexts::set(ContextName which, uint64_t hash) { hashes_[which] = mix_hash(hash, which); }

// The distance at which bytes come again most often; a long one is less likely by chance.
void Contexts::find_record(const Text& text) {
  const uint8_t byte = text.back(1);
  const uint64_t gap = text.size() - last_[byte];
  last_[byte] = text.size();
  if (gap < gaps_.size() && ++gaps_[static_cast<size_t>(gap)] > 255)
    for (uint32_t& count : gaps_) count /= 2;
  if (text.size() % 1024 != 0) return;
  record_ = 0;
  for (uint32_t distance = 2; distance < gaps_.size(); ++distance)
    if (gaps_[distance] * distance > gaps_[record_] * record_) record_ = distance;
}

void Contexts::advance(const Text& text) {
  const uint8_t c1 = text.back(1), c2 = text.back(2), c3 = text.back(3), c4 = text.back(4);
  if (is_upper(c1) || is_lower(c1) || c1 >= 0x80)
    words_[0] = mix_hash(words_[0], is_upper(c1) ? c1 + uint64_t{32} : c1);
  else if (words_[0] != 0)
    words_ = {0, words_[0], words_[1]};
  kinds_ = (kind_of(c1) | kind_of(c2) << 3 | (kind_of(c3) >> 1) << 6) & 255;

  if (c1 == '\n' || c1 == 0) line_before_ = line_, line_ = text.size();
  const uint64_t from_line = text.size() - line_, over = line_before_ + from_line;
  const uint8_t up = over < line_ && text.holds(over) ? text[over] : 0;
  column_ = static_cast<uint32_t>(std::min<uint64_t>(from_line, columns - 1));
  find_record(text);
  if (opens(c1))
    structure_ = c1;
  else if (structure_ != 0 && structure_ < uint64_t{1} << 40)
    structure_ = structure_ << 8 | c1;
  after_one_[c2] = (after_one_[c2] << 8 | c1) & 0xffffff;
  uint32_t& two = after_two_[size_t{c3} << 8 | c2];
  two = (two << 8 | c1) & 0xffff;

  constexpr std::array<size_t, 9> orders{1, 2, 3, 4, 5, 6, 8, 11, 16};
  uint64_t hash = 0;
  for (size_t length = 0, i = 0; i < orders.size(); ++i) {
    while (length < orders[i]) hash = mix_hash(hash, text.back(++length));
    set(static_cast<ContextName>(order1 + i), hash);
  }
  set(word, hash_of(words_[0], c1));
  set(word_and_one, hash_of(words_[0], words_[1], c1));
  set(word_and_two, hash_of(words_[0], words_[1], words_[2]));
  set(gap1_3, hash_of(c1, c3)), set(gap2_3, hash_of(c2, c3)), set(gap3_4, hash_of(c3, c4)), set(gap2, hash_of(c2));
  set(column_above, hash_of(column_, up, c1)), set(above, hash_of(up, c1, c2));
  if (record_ > 0)
    set(record, hash_of(text.back(record_), text.back(uint64_t{record_} * 2), text.size() % record_));
  else
    set(record, 0);
  set(structure, structure_);
  set(follow_one, hash_of(after_one_[c1], c1));
  set(follow_two, hash_of(after_two_[size_t{c2} << 8 | c1], c1, c2));
}

}  // namespace statera::counts
