#include "tokenizers/unigram.hpp"

#include <array>
#include <cstdio>
#include <limits>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/best_cuts.hpp"
#include "tokenizers/vocabulary.hpp"

namespace statera::tokenizers {

namespace {

constexpr double unknown_penalty = 10;

class Unigram : public TokenModel {
 public:
  Unigram(const std::vector<std::pair<std::string, double>>& vocabulary, std::optional<int32_t> unk_id,
          bool byte_fallback, std::string where)
      : unk_id_(unk_id), byte_fallback_(byte_fallback), where_(std::move(where)) {
    double least = std::numeric_limits<double>::infinity();
    std::vector<std::pair<std::string_view, int32_t>> strings;
    for (const auto& [token, score] : vocabulary) {
      vocabulary_.add(token, static_cast<int64_t>(scores_.size()), where_);
      strings.emplace_back(token, static_cast<int32_t>(scores_.size()));
      scores_.push_back(score);
      least = std::min(least, score);
    }
    require(!unk_id || (*unk_id >= 0 && *unk_id < static_cast<int64_t>(scores_.size())), ErrorCode::config, where_,
            ": unk_id ", unk_id.value_or(0), " is not in the vocabulary of ", scores_.size(), " tokens");
    trie_ = ByteTrie(std::move(strings));
    unknown_score_ = least - unknown_penalty;
    for (size_t byte = 0; byte < 256; ++byte) {
      char token[8];
      std::snprintf(token, sizeof token, "<0x%02X>", static_cast<unsigned>(byte));
      byte_tokens_[byte] = vocabulary_.id_of(token).value_or(-1);
    }
  }

  void encode(std::string_view piece, bool plain, std::vector<int32_t>& ids) const override {
    const auto score = [&](int32_t id, size_t) {
      return plain && is_special(id) ? std::numeric_limits<double>::quiet_NaN() : scores_[static_cast<size_t>(id)];
    };
    const auto cuts = best_cuts<double>(piece, trie_, unknown_score_, score);
    const auto unknown = [&](const Cut& cut) { return cut.value < 0 || cut.value == unk_id_; };
    for (size_t i = 0; i < cuts.size();) {
      size_t end = i + 1;
      if (unknown(cuts[i]))
        while (end < cuts.size() && unknown(cuts[end])) ++end;
      add(piece.substr(cuts[i].begin, cuts[end - 1].end - cuts[i].begin), plain, ids);
      i = end;
    }
  }

  std::optional<int32_t> id_of(std::string_view token) const override { return vocabulary_.id_of(token); }
  std::optional<std::string_view> token_of(int32_t id) const override { return vocabulary_.token_of(id); }
  int64_t size() const override { return static_cast<int64_t>(scores_.size()); }
  int32_t highest_id() const override { return vocabulary_.highest(); }

 private:
  void add(std::string_view token, bool plain, std::vector<int32_t>& ids) const {
    const auto hidden = [&](int32_t id) { return plain && is_special(id); };
    if (const auto id = vocabulary_.id_of(token); id && !hidden(*id)) {
      ids.push_back(*id);
      return;
    }
    const auto byte_token = [&](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
    const auto has_token = [&](char byte) { return byte_token(byte) >= 0 && !hidden(byte_token(byte)); };
    if (byte_fallback_ && std::all_of(token.begin(), token.end(), has_token)) {
      for (const char byte : token) ids.push_back(byte_token(byte));
      return;
    }
    require(unk_id_.has_value(), ErrorCode::config, where_, ": ", in_quotes(token),
            " is unknown, and the model has no unk_id");
    ids.push_back(*unk_id_);
  }

  Vocabulary vocabulary_;
  std::vector<double> scores_;
  std::optional<int32_t> unk_id_;
  bool byte_fallback_;
  std::string where_;
  ByteTrie trie_;
  double unknown_score_ = 0;
  std::array<int32_t, 256> byte_tokens_;
};

}  // namespace

std::unique_ptr<TokenModel> unigram(const std::vector<std::pair<std::string, double>>& vocabulary,
                                    std::optional<int32_t> unk_id, bool byte_fallback, std::string where) {
  return std::make_unique<Unigram>(vocabulary, unk_id, byte_fallback, std::move(where));
}

}  // namespace statera::tokenizers
