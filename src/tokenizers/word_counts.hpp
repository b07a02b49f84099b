// How often each word occurs. Words are any bytes; it owns copies of them. What words() and text_of() return is valid
// until the next add() or keep(). Not thread safe.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizers/word_cache.hpp"

namespace statera::tokenizers {

class WordCounts {
 public:
  struct Word {
    uint64_t hash;
    size_t begin;  // in the text of all words
    uint32_t size;
    int64_t count;
  };
  void add(std::string_view word, int64_t count) { add(word, WordCache::hash(word), count); }
  void add(const WordCounts& other) {
    for (const Word& word : other.words_) add(other.text_of(word), word.hash, word.count);
  }
  const std::vector<Word>& words() const { return words_; }  // in the order in which they came
  std::string_view text_of(const Word& word) const { return std::string_view(text_).substr(word.begin, word.size); }

  // Forgets the words that occur least, so that at most `most` are left. Returns how many occurrences that were.
  int64_t keep(size_t most) {
    if (words_.size() <= most) return 0;
    std::vector<int64_t> counts;
    for (const Word& word : words_) counts.push_back(word.count);
    std::nth_element(counts.begin(), counts.begin() + static_cast<ptrdiff_t>(most), counts.end(), std::greater<>());
    const int64_t least = counts[most] + 1;
    WordCounts kept;
    int64_t forgotten = 0;
    for (const Word& word : words_)
      if (word.count >= least)
        kept.add(text_of(word), word.hash, word.count);
      else
        forgotten += word.count;
    *this = std::move(kept);
    return forgotten;
  }

 private:
  void add(std::string_view text, uint64_t hash, int64_t count) {
    if (2 * (words_.size() + 1) > slots_.size()) grow();
    size_t i = hash & (slots_.size() - 1);
    for (; slots_[i] != none; i = (i + 1) & (slots_.size() - 1)) {
      Word& word = words_[slots_[i]];
      if (word.hash == hash && text_of(word) == text) {
        word.count += count;
        return;
      }
    }
    slots_[i] = static_cast<uint32_t>(words_.size());
    words_.push_back({hash, text_.size(), static_cast<uint32_t>(text.size()), count});
    text_ += text;
  }
  void grow() {
    slots_.assign(std::max<size_t>(1024, 2 * slots_.size()), none);
    for (size_t w = 0; w < words_.size(); ++w) {
      size_t i = words_[w].hash & (slots_.size() - 1);
      while (slots_[i] != none) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = static_cast<uint32_t>(w);
    }
  }

  static constexpr uint32_t none = ~uint32_t{0};
  std::vector<uint32_t> slots_;  // indices of words_, a power of two of them, at most half in use
  std::vector<Word> words_;
  std::string text_;
};

}  // namespace statera::tokenizers
