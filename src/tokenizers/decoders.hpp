// The decoders. Each is named as in tokenizer.json, and does what it does there.
#pragma once
#include <memory>
#include <string>

#include "tokenizers/parts.hpp"
#include "tokenizers/regex.hpp"

namespace statera::tokenizers {

std::unique_ptr<TokenDecoder> byte_level_decoder();
std::unique_ptr<TokenDecoder> byte_fallback_decoder();
std::unique_ptr<TokenDecoder> fuse_decoder();
std::unique_ptr<TokenDecoder> replace_decoder(Regex pattern, std::string content);
std::unique_ptr<TokenDecoder> strip_decoder(std::string character, int64_t start, int64_t stop);
std::unique_ptr<TokenDecoder> metaspace_decoder(std::string replacement, bool drops_first);
std::unique_ptr<TokenDecoder> bpe_decoder(std::string suffix);
std::unique_ptr<TokenDecoder> word_piece_decoder(std::string prefix, bool cleanup);
std::unique_ptr<TokenDecoder> ctc_decoder(std::string pad_token, std::string word_delimiter_token, bool cleanup);
std::unique_ptr<TokenDecoder> blanks_decoder();  // tokens joined by blanks, where a file has no decoder
std::unique_ptr<TokenDecoder> decoders(Parts<TokenDecoder> all);

// The byte that a token like <0x0A> stands for; -1: it is none.
int byte_of_token(std::string_view token);
void replace_all(std::string& text, std::string_view what, std::string_view by);

}  // namespace statera::tokenizers
