// Tokens that are found in a text before anything else happens to it.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/function_ref.hpp"
#include "tokenizers/byte_trie.hpp"
#include "tokenizers/parts.hpp"

namespace statera::tokenizers {

// Which tokens are found where several overlap.
enum class Overlap {
  leftmost,  // the leftmost, of these the longest. A special token that is text hides what lies within it
  longest,   // the longest, of these the one that comes first in the list, of its places the leftmost; as llama.cpp
};

// Immutable. Thread-safe.
class AddedTokens {
 public:
  AddedTokens() = default;
  // Tokens that are `normalized` are looked for in the normalized text, in their normalized form. Throws
  // ErrorCode::unsupported if nothing is left of one. With Overlap::longest none may be normalized or a single word,
  // and the blanks that tokens take with them are those of ASCII.
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer, Overlap overlap = Overlap::leftmost);
  AddedTokens(AddedTokens&&) = default;
  AddedTokens& operator=(AddedTokens&&) = default;

  // Fills `pieces` with the tokens that were found and the normalized text between them. With `plain` special tokens
  // are text.
  void find(std::string_view text, const Normalizer* normalizer, bool plain, Pieces& pieces) const;
  // What stands for the token in a decoded text; null if it is none of these.
  const std::string* shown(int32_t id) const;
  bool is_special_text(const std::string& token) const { return specials_.contains(token); }
  bool is_special(int32_t id) const { return special_ids_.contains(id); }
  const std::unordered_set<int32_t>& special_ids() const { return special_ids_; }
  const AddedToken* with_id(int32_t id) const;                     // the first one; null: there is none
  const AddedToken* with_content(std::string_view content) const;  // the same
  const std::vector<AddedToken>& all() const { return tokens_; }

 private:
  struct Found {
    size_t begin, end;
    int32_t id;  // -1: text between tokens
  };
  void find(std::string_view text, const ByteTrie& trie, bool plain, std::vector<Found>& found) const;
  void find_longest(std::string_view text, bool plain, std::vector<Found>& found) const;
  void take_longest(std::string_view text, size_t begin, size_t end, size_t size, bool plain,
                    std::vector<size_t>& taken, std::vector<Found>& found) const;
  void each_at(std::string_view text, bool plain, FunctionRef<void(size_t size, int32_t index)> use) const;

  Overlap overlap_ = Overlap::leftmost;
  bool take_blanks_ = false;  // whether some token takes blanks beside it
  std::vector<AddedToken> tokens_;
  std::unordered_map<int32_t, std::string> shown_;
  std::unordered_map<int32_t, size_t> by_id_;                // indices of tokens_
  std::unordered_map<std::string_view, size_t> by_content_;  // the same; its keys are in tokens_
  std::unordered_set<std::string> specials_;
  std::unordered_set<int32_t> special_ids_;
  ByteTrie in_text_, in_normalized_;  // values are indices of tokens_
};

}  // namespace statera::tokenizers
