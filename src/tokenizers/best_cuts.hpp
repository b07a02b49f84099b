// The way of cutting a text into strings that has the best sum of scores.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "tokenizers/byte_trie.hpp"
#include "tokenizers/characters.hpp"

namespace statera::tokenizers {

struct Cut {
  size_t begin, end;
  int32_t value;  // -1: a character that is no string
};

// The best way to cut what stands before a place.
template <class Sum>
struct BestEnd {
  Sum sum;
  size_t from;  // where its last string begins
  int32_t value;
};

// score(value, size) is that of a string of `trie`; nan leaves it out. The first of equal cuts wins. Sums are kept and
// compared as `Sum`: what is lost in a float decides which cut is best. In a time proportional to the length of the
// text.
template <class Sum, class Score>
std::vector<Cut> best_cuts(std::string_view text, const ByteTrie& trie, Sum unknown_score, Score score) {
  constexpr size_t nowhere = std::numeric_limits<size_t>::max();
  std::vector<BestEnd<Sum>> ends(text.size() + 1, {0, nowhere, -1});
  for (size_t at = 0; at < text.size();) {
    const Sum here = ends[at].sum;
    const size_t one = character_at(text, at).size;
    bool has_one = false;
    const auto offer = [&](size_t size, int32_t value, Sum sum) {
      BestEnd<Sum>& end = ends[at + size];
      if (end.from == nowhere || sum > end.sum) end = {sum, at, value};
    };
    trie.each(text.substr(at), [&](size_t size, int32_t value) {
      const Sum gain = score(value, size);
      if (gain != gain) return;
      offer(size, value, gain + here);
      has_one = has_one || size == one;
    });
    if (!has_one) offer(one, -1, unknown_score + here);
    at += one;
  }
  std::vector<Cut> cuts;
  for (size_t end = text.size(); end > 0; end = ends[end].from) cuts.push_back({ends[end].from, end, ends[end].value});
  std::reverse(cuts.begin(), cuts.end());
  return cuts;
}

}  // namespace statera::tokenizers
