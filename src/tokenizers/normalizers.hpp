// The normalizers. Each is named as in tokenizer.json, and does what it does there.
#pragma once
#include <array>
#include <memory>
#include <string>

#include "tokenizers/characters.hpp"
#include "tokenizers/charsmap.hpp"
#include "tokenizers/parts.hpp"
#include "tokenizers/regex.hpp"

namespace statera::tokenizers {

std::unique_ptr<Normalizer> unicode_form(Form form);
std::unique_ptr<Normalizer> lowercase();
std::unique_ptr<Normalizer> strip_accents();
std::unique_ptr<Normalizer> strip(bool left, bool right);
std::unique_ptr<Normalizer> nmt();
std::unique_ptr<Normalizer> replace(Regex pattern, std::string content);
std::unique_ptr<Normalizer> prepend(std::string text);
std::unique_ptr<Normalizer> byte_level_letters();
std::unique_ptr<Normalizer> precompiled(Charsmap map);
std::unique_ptr<Normalizer> normalizers(Parts<Normalizer> all);
struct BertNormalizerOptions {
  bool clean_text = true, handle_chinese_chars = true, strip_accents = true, lowercase = true;
};
std::unique_ptr<Normalizer> bert_normalizer(const BertNormalizerOptions& options);

// Each byte as a visible character (GPT-2's letters): A is A, a blank is U+0120.
const std::array<std::string, 256>& byte_letters();
std::string to_byte_letters(std::string_view bytes);
int byte_of_letter(char32_t letter);  // -1: not one of them

}  // namespace statera::tokenizers
