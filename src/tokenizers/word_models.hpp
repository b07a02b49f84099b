// Models that look up: whole words, or the longest beginning of what is left.
#pragma once
#include <memory>
#include <string>

#include "tokenizers/byte_trie.hpp"
#include "tokenizers/parts.hpp"
#include "tokenizers/vocabulary.hpp"

namespace statera::tokenizers {

// A word is one token, or else unk_token. encode() throws ErrorCode::config, naming `where`, if that is not there.
std::unique_ptr<TokenModel> word_level(Vocabulary vocabulary, std::string unk_token, std::string where);

struct WordPieceOptions {
  std::string unk_token = "[UNK]", continuing_subword_prefix = "##";
  int64_t max_input_chars_per_word = 100;
};
// The longest beginning of a word that is a token, then that of the rest with the prefix. A word with a part that is
// none, or of too many characters, is one unk_token.
std::unique_ptr<TokenModel> word_piece(Vocabulary vocabulary, WordPieceOptions options, std::string where);

// The longest beginning of what is left, byte by byte; tokens are any bytes. encode() throws ErrorCode::config if none
// fits, unless `unknown` >= 0, which then stands for one byte.
std::unique_ptr<TokenModel> longest_match(Vocabulary vocabulary, int32_t unknown, std::string where);

}  // namespace statera::tokenizers
