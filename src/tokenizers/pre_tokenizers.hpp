// The pre-tokenizers. Each is named as in tokenizer.json, and does what it does there.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "tokenizers/parts.hpp"
#include "tokenizers/regex.hpp"

namespace statera::tokenizers {

// What becomes of the places where a text is split.
enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

inline constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::unique_ptr<PreTokenizer> split(Regex pattern, Behavior behavior, bool invert);
using Which = bool (*)(char32_t c);
std::unique_ptr<PreTokenizer> split_at(Which which, Behavior behavior);
std::unique_ptr<PreTokenizer> split_at_character(char32_t c, Behavior behavior);
std::unique_ptr<PreTokenizer> whitespace();  // words, and runs of what is neither word nor white space
std::unique_ptr<PreTokenizer> fixed_length(size_t characters);
std::unique_ptr<PreTokenizer> unicode_scripts();

// A blank before each piece that does not begin with one.
std::unique_ptr<PreTokenizer> prefix_blank();
// Bytes as letters (normalizers.hpp).
std::unique_ptr<PreTokenizer> byte_letters_of_pieces();

enum class Prefixed { first, never, always };
struct MetaspaceOptions {
  std::string replacement = "\xE2\x96\x81";
  Prefixed prepend = Prefixed::always;
  bool split = true;
};
std::unique_ptr<PreTokenizer> metaspace(const MetaspaceOptions& options);

}  // namespace statera::tokenizers
