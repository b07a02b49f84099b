#include "counts/contexts.hpp"

#include <algorithm>
#include <cstdlib>
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

// The distance from a sample to the one before in its channel: at the right one bytes differ least.
uint64_t Contexts::find_stride(const Text& text) {
  for (size_t i = 0; i < strides.size(); ++i) {
    const auto change = static_cast<int8_t>(text.back(1) - text.back(1 + strides[i]));
    changes_[i] += static_cast<uint32_t>(std::abs(change)) - changes_[i] / 1024;
  }
  // A larger one has to be clearly better: a new stride starts the linear prediction over.
  if (text.size() % 256 == 0)
    for (uint32_t i = 0; i < strides.size(); ++i) {
      const uint32_t now = changes_[stride_];
      if (i < stride_ ? changes_[i] <= now : changes_[i] + changes_[i] / 8 < now) stride_ = i;
    }
  return strides[stride_];
}

// With an even stride, samples have 16 bits, the lower byte first, and begin at even positions. Where the lower byte is
// known, the upper one is what brings the sample nearest to the expected one.
void Contexts::set_samples(const Text& text) {
  const uint64_t stride = find_stride(text), place = text.size() % stride;
  samples_.advance(text, stride);
  const auto expected = static_cast<uint32_t>(samples_.expected());
  if (stride % 2 != 0) {
    const uint8_t s1 = text.back(stride), s2 = text.back(2 * stride), s3 = text.back(3 * stride);
    const auto line = static_cast<uint8_t>(2 * s1 - s2);
    set(sample_line, hash_of(line, place));
    set(sample_expected, hash_of(expected >> 3, samples_.error_size(), place));
    set(sample_expected_line, hash_of(expected >> 2, s1, place));
    set(sample_pair, hash_of(s1 / 4u, s2 / 4u, s3 / 8u, place));
    return;
  }
  const bool upper = text.size() % 2 != 0;
  const auto sample = [&](uint64_t back) {
    const uint64_t high = stride * back - (upper ? 0 : 1);
    return int32_t{static_cast<int16_t>(text.back(high) << 8 | text.back(high + 1))};
  };
  const int32_t s1 = sample(1), s2 = sample(2), line = 2 * s1 - s2;
  // What an expected sample says about the byte to come; dropped: bits of it that are left out where that is the lower
  // one.
  const auto says = [&](int32_t expected, int dropped) {
    const int32_t byte = upper ? (expected - text.back(1) + 128) >> 8 : expected >> dropped;
    return static_cast<uint64_t>(static_cast<uint32_t>(byte));
  };
  set(sample_line, hash_of(says(line, 2), place));
  set(sample_expected, hash_of(expected >> 3, samples_.error_size(), place));
  set(sample_expected_line, hash_of(expected >> 4, says(line, 4), place));
  set(sample_pair, hash_of(says(s1, 4), says(s2, 8), place));
}

void Contexts::advance(const Text& text) {
  const uint8_t c1 = text.back(1), c2 = text.back(2), c3 = text.back(3), c4 = text.back(4);
  if (is_upper(c1) || is_lower(c1) || c1 >= 0x80)
    words_[0] = mix_hash(words_[0], is_upper(c1) ? c1 + uint64_t{32} : c1);
  else if (words_[0] != 0)
    words_ = {0, words_[0], words_[1]};
  all_kinds_ = all_kinds_ << 3 | kind_of(c1);
  last_kinds_ = (kind_of(c1) | kind_of(c2) << 3 | (kind_of(c3) >> 1) << 6) & 255;

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
  set(kinds, hash_of(all_kinds_ & 0xffffff, c1));
  set_samples(text);
  set(follow_one, hash_of(after_one_[c1], c1));
  set(follow_two, hash_of(after_two_[size_t{c2} << 8 | c1], c1, c2));
}

}  // namespace statera::counts
