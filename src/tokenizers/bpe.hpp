// Byte-pair encoding: a piece is cut into characters, and pairs of neighbours are merged, the one of the lowest rank
// first, the leftmost of equal ones.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tokenizers/parts.hpp"
#include "tokenizers/vocabulary.hpp"

namespace statera::tokenizers {

// Pairs of ids, and what they merge into. Owns its tables. Thread-safe once all merges are set.
class Merges {
 public:
  struct Merge {
    uint32_t rank;
    int32_t id;
  };
  explicit Merges(size_t count = 0);
  void set(int32_t left, int32_t right, Merge merge);  // replaces the one that is there
  const Merge* find(int32_t left, int32_t right) const {
    const uint64_t key = key_of(left, right);
    for (size_t i = slot(key);; i = (i + 1) & mask_) {
      if (keys_[i] == key) return &merges_[i];
      if (keys_[i] == none) return nullptr;
    }
  }
  // Calls use(left, right, merge) for all, in no order.
  template <class Use>
  void each(Use use) const {
    for (size_t i = 0; i < keys_.size(); ++i)
      if (keys_[i] != none)
        use(static_cast<int32_t>(keys_[i] >> 32), static_cast<int32_t>(keys_[i] & 0xFFFFFFFFu), merges_[i]);
  }

 private:
  static constexpr uint64_t none = ~uint64_t{0};
  static uint64_t key_of(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t slot(uint64_t key) const { return (key * 0x9e3779b97f4a7c15u >> 32) & mask_; }
  std::vector<uint64_t> keys_;  // twice as many as merges, a power of two
  std::vector<Merge> merges_;
  size_t mask_;
};

struct BpeOptions {
  std::string continuing_subword_prefix, end_of_word_suffix;
  std::optional<std::string> unk_token;
  bool fuse_unk = false, byte_fallback = false, ignore_merges = false;
  bool bytes = false;  // pieces are bytes, whose letters (normalizers.hpp) the tokens are made of
};

// Owns its vocabulary and merges. Thread-safe after set_specials(), as all parts are (parts.hpp).
class Bpe : public TokenModel {
 public:
  // `merges`: pairs of tokens, by rank. Throws ErrorCode::config, naming `where`, if they are not in the vocabulary.
  Bpe(Vocabulary vocabulary, const std::vector<std::pair<std::string, std::string>>& merges, BpeOptions options,
      const std::string& where);
  // In a plain text a special token that merges make falls back into what it was merged of.
  void encode(std::string_view piece, bool plain, std::vector<int32_t>& ids) const override;
  void set_specials(const std::unordered_set<int32_t>& ids) override;
  std::optional<int32_t> id_of(std::string_view token) const override { return vocabulary_.id_of(token); }
  std::optional<std::string_view> token_of(int32_t id) const override { return vocabulary_.token_of(id); }
  int64_t size() const override { return vocabulary_.size(); }
  int32_t highest_id() const override { return vocabulary_.highest(); }

 private:
  struct Halves {
    uint32_t rank;
    int32_t left, right;
  };

  void cut(std::string_view piece, bool plain, std::vector<int32_t>& symbols) const;
  void cut_bytes(std::string_view piece, std::vector<int32_t>& symbols) const;
  bool add_byte_tokens(std::string_view letter, std::vector<int32_t>& symbols) const;
  void merge_few(std::vector<int32_t>& symbols) const;
  void merge_many(std::vector<int32_t>& symbols) const;
  size_t length(int32_t id) const;
  int32_t unknown(std::string_view letter) const;
  void take_specials_apart(std::vector<int32_t>& symbols) const;
  void say_without(int32_t special, std::vector<int32_t>& symbols) const;

  Vocabulary vocabulary_;
  Merges merges_;
  BpeOptions options_;
  std::string where_;
  std::array<int32_t, 256> byte_tokens_;        // of byte_fallback; -1: there is none
  std::array<int32_t, 256> letters_;            // the token of each byte's letter; -1: there is none
  std::unordered_map<int32_t, Halves> halves_;  // what special tokens are merged of, by the merge of the lowest rank
};

}  // namespace statera::tokenizers
