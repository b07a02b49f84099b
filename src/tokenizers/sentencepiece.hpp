// SentencePiece: what a .model file says, and the parts that do it. GGUF files hold such models, too.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tokenizers/charsmap.hpp"
#include "tokenizers/parts.hpp"
#include "tokenizers/tokenizer_impl.hpp"

namespace statera::tokenizers {

struct SentencePiece {
  enum class Type { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  std::string text;
  float score = 0;
  Type type = Type::normal;
};

struct SentencePieceSpec {
  enum class Kind { unigram = 1, bpe = 2, word = 3, character = 4 };
  Kind kind = Kind::unigram;
  std::vector<SentencePiece> pieces;  // by id
  Charsmap charsmap;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  bool treat_whitespace_as_suffix = false, byte_fallback = false;
  std::string unk_surface = " \xE2\x81\x87 ";
};

// Normalizer, model and decoder. Throws ErrorCode::config, naming `where`, if pieces are missing or there twice.
std::shared_ptr<Tokenizer::Impl> sentencepiece_tokenizer(SentencePieceSpec spec, const std::string& where);

}  // namespace statera::tokenizers
