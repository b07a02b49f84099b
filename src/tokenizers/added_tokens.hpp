// Tokens that are found in a text before anything else happens to it.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tokenizers/byte_trie.hpp"
#include "tokenizers/parts.hpp"

namespace statera::tokenizers {

// Immutable. Thread-safe.
class AddedTokens {
 public:
  AddedTokens() = default;
  // Tokens that are `normalized` are looked for in the normalized text, in their normalized form. Throws
  // ErrorCode::unsupported if nothing is left of one.
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer);
  AddedTokens(AddedTokens&&) = default;
  AddedTokens& operator=(AddedTokens&&) = default;

  // Fills `pieces` with the tokens that were found and the normalized text between them. With `plain` special tokens
  // are text.
  void find(std::string_view text, const Normalizer* normalizer, bool plain, Pieces& pieces) const;
  // What stands for the token in a decoded text; null if it is none of these.
  const std::string* shown(int32_t id) const;
  bool is_special_text(const std::string& token) const { return specials_.contains(token); }
  bool is_special(int32_t id) const { return special_ids_.contains(id); }
  const AddedToken* with_id(int32_t id) const;                     // the first one; null: there is none
  const AddedToken* with_content(std::string_view content) const;  // the same
  const std::vector<AddedToken>& all() const { return tokens_; }

 private:
  struct Found {
    size_t begin, end;
    int32_t id;  // -1: text between tokens
  };
  void find(std::string_view text, const ByteTrie& trie, bool plain, std::vector<Found>& found) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<int32_t, std::string> shown_;
  std::unordered_map<int32_t, size_t> by_id_;                // indices of tokens_
  std::unordered_map<std::string_view, size_t> by_content_;  // the same; its keys are in tokens_
  std::unordered_set<std::string> specials_;
  std::unordered_set<int32_t> special_ids_;
  ByteTrie in_text_, in_normalized_;  // values are indices of tokens_
};

}  // namespace statera::tokenizers
