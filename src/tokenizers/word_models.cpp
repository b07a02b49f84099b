#include "tokenizers/word_models.hpp"

#include <algorithm>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/characters.hpp"

namespace statera::tokenizers {

namespace {

class WithVocabulary : public TokenModel {
 public:
  WithVocabulary(Vocabulary vocabulary, std::string unk_token, std::string where)
      : vocabulary_(std::move(vocabulary)), unk_token_(std::move(unk_token)), where_(std::move(where)) {}
  std::optional<int32_t> id_of(std::string_view token) const override { return vocabulary_.id_of(token); }
  std::optional<std::string_view> token_of(int32_t id) const override { return vocabulary_.token_of(id); }
  int64_t size() const override { return vocabulary_.size(); }
  int32_t highest_id() const override { return vocabulary_.highest(); }

 protected:
  std::optional<int32_t> id_in_text(std::string_view token, bool plain) const {
    const auto id = vocabulary_.id_of(token);
    return id && plain && is_special(*id) ? std::nullopt : id;
  }
  int32_t unknown(std::string_view piece) const {
    const auto id = vocabulary_.id_of(unk_token_);
    require(id.has_value(), ErrorCode::config, where_, ": ", in_quotes(piece), " is unknown, and the unk_token ",
            in_quotes(unk_token_), " is not in the vocabulary");
    return *id;
  }
  Vocabulary vocabulary_;
  std::string unk_token_, where_;
};

class WordLevel : public WithVocabulary {
 public:
  using WithVocabulary::WithVocabulary;
  void encode(std::string_view piece, bool plain, std::vector<int32_t>& ids) const override {
    const auto id = id_in_text(piece, plain);
    ids.push_back(id ? *id : unknown(piece));
  }
  bool worth_remembering() const override { return false; }
};

class WordPiece : public WithVocabulary {
 public:
  WordPiece(Vocabulary vocabulary, WordPieceOptions options, std::string where)
      : WithVocabulary(std::move(vocabulary), std::move(options.unk_token), std::move(where)),
        prefix_(std::move(options.continuing_subword_prefix)),
        most_(options.max_input_chars_per_word) {
    for (int32_t id = 0; id <= vocabulary_.highest(); ++id)
      longest_ = std::max(longest_, vocabulary_.token_of(id).value_or("").size());
  }

  void encode(std::string_view piece, bool plain, std::vector<int32_t>& ids) const override {
    const size_t before = ids.size();
    if (static_cast<int64_t>(count_characters(piece)) > most_ || !cut(piece, plain, ids)) {
      ids.resize(before);
      ids.push_back(unknown(piece));
    }
  }

 private:
  bool cut(std::string_view piece, bool plain, std::vector<int32_t>& ids) const {
    std::string part;
    for (size_t begin = 0; begin < piece.size();) {
      part = begin > 0 ? prefix_ : "";
      const size_t prefix = part.size();
      // Not a longer one than there is; what was cut within a character is no token, and gets shorter.
      part += piece.substr(begin, longest_ - std::min(longest_, prefix));
      std::optional<int32_t> id;
      while (part.size() > prefix && !(id = id_in_text(part, plain))) part.resize(character_before(part, part.size()));
      if (!id) return false;
      ids.push_back(*id);
      begin += part.size() - prefix;
    }
    return true;
  }

  std::string prefix_;
  int64_t most_;
  size_t longest_ = 0;  // bytes of the longest token
};

class LongestMatch : public TokenModel {
 public:
  LongestMatch(Vocabulary vocabulary, int32_t unknown, std::string where)
      : vocabulary_(std::move(vocabulary)), unknown_(unknown), where_(std::move(where)) {
    std::vector<std::pair<std::string_view, int32_t>> strings;
    for (int32_t id = 0; id <= vocabulary_.highest(); ++id)
      if (const auto token = vocabulary_.token_of(id)) strings.emplace_back(*token, id);
    trie_ = ByteTrie(std::move(strings));
  }
  void encode(std::string_view piece, bool plain, std::vector<int32_t>& ids) const override {
    while (!piece.empty()) {
      ByteTrie::Found found;
      trie_.each(piece, [&](size_t size, int32_t id) {
        if (!plain || !is_special(id)) found = {size, id};
      });
      require(found.size > 0 || unknown_ >= 0, ErrorCode::config, where_, ": no token begins with ",
              in_quotes(piece.substr(0, 1)));
      ids.push_back(found.size > 0 ? found.value : unknown_);
      piece.remove_prefix(std::max<size_t>(found.size, 1));
    }
  }
  std::optional<int32_t> id_of(std::string_view token) const override { return vocabulary_.id_of(token); }
  std::optional<std::string_view> token_of(int32_t id) const override { return vocabulary_.token_of(id); }
  int64_t size() const override { return vocabulary_.size(); }
  int32_t highest_id() const override { return vocabulary_.highest(); }
  bool worth_remembering() const override { return false; }

 private:
  Vocabulary vocabulary_;
  int32_t unknown_;
  std::string where_;
  ByteTrie trie_;
};

}  // namespace

std::unique_ptr<TokenModel> word_level(Vocabulary vocabulary, std::string unk_token, std::string where) {
  return std::make_unique<WordLevel>(std::move(vocabulary), std::move(unk_token), std::move(where));
}

std::unique_ptr<TokenModel> word_piece(Vocabulary vocabulary, WordPieceOptions options, std::string where) {
  return std::make_unique<WordPiece>(std::move(vocabulary), std::move(options), std::move(where));
}

std::unique_ptr<TokenModel> longest_match(Vocabulary vocabulary, int32_t unknown, std::string where) {
  return std::make_unique<LongestMatch>(std::move(vocabulary), unknown, std::move(where));
}

}  // namespace statera::tokenizers
