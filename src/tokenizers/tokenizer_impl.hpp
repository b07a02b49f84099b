// What a Tokenizer is made of, and what the readers of formats share.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "statera/tokenizer.hpp"
#include "tokenizers/added_tokens.hpp"
#include "tokenizers/parts.hpp"
#include "tokenizers/word_cache.hpp"

namespace statera {

// Owns all parts. A reader fills it alone; afterwards it is immutable but for the caches of words, which mutex_ guards,
// so several threads may use it.
struct Tokenizer::Impl {
  std::string name, kind;
  std::unique_ptr<const tokenizers::Normalizer> normalizer;  // null: none
  tokenizers::Parts<tokenizers::PreTokenizer> pre_tokenizers;
  std::unique_ptr<tokenizers::TokenModel> model;
  std::unique_ptr<const tokenizers::PostProcessor> post_processor;  // null: none
  std::unique_ptr<const tokenizers::TokenDecoder> decoder;
  tokenizers::AddedTokens added;
  std::vector<std::string> decoded;  // by id, what the decoder gets; empty: what added tokens and model show
  std::optional<tokenizers::Truncation> truncation;
  std::optional<tokenizers::Padding> padding;
  bool any_bytes = false;  // whether text may be anything
  bool pairs = true;       // whether the format says how two texts are joined
  int32_t highest_id = -1;
  int64_t self_tests = 0;

  void encode_text(std::string_view text, const EncodeOptions& options, tokenizers::Encoded& out) const;
  std::vector<std::string> tokens_of(std::span<const int32_t> ids, bool skip_specials) const;

 private:
  void encode_piece(std::string_view piece, bool plain, std::vector<int32_t>& ids, tokenizers::WordCache& words) const;
  // Caches of words that no thread uses at the moment; the second ones are of plain texts.
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<tokenizers::WordCache>> caches_[2];
};

namespace tokenizers {

// Each reads one format; `where` is for messages.
std::shared_ptr<Tokenizer::Impl> read_tokenizer_json(std::string_view text, const std::string& where);
std::shared_ptr<Tokenizer::Impl> read_vocab_and_merges(std::string_view vocabulary, std::string_view merges,
                                                       const std::string& where, const std::string& merges_where);
bool is_rwkv_vocabulary(std::string_view text);
std::shared_ptr<Tokenizer::Impl> read_rwkv(std::string_view text, const std::string& where);
std::shared_ptr<Tokenizer::Impl> read_sentencepiece(std::string_view bytes, const std::string& where);
std::shared_ptr<Tokenizer::Impl> read_gguf(std::string_view bytes, const std::string& where);

}  // namespace tokenizers

}  // namespace statera
