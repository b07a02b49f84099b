// Characters and what Unicode says about them. Text is UTF-8; a byte that belongs to no character is read as a
// character of its own, `broken`, so that every function below gets through any bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace statera::tokenizers {

constexpr char32_t broken = 0x110000;  // a byte that belongs to no character; above all characters
inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

struct Character {
  char32_t code;
  size_t size;  // in bytes, at least 1
};
Character character_at(std::string_view text, size_t at);   // at < text.size()
size_t character_before(std::string_view text, size_t at);  // where the character that ends at `at` > 0 begins
size_t count_characters(std::string_view text);
void append(std::string& text, char32_t code);  // `broken` becomes U+FFFD
size_t first_broken(std::string_view text);     // npos if all is UTF-8
// Every broken piece (as in Unicode 15, 3.9: the longest beginning of a character) becomes one U+FFFD.
std::string with_replacements(std::string_view text);

bool is_white_space(char32_t c);
bool is_numeric(char32_t c);  // Nd, Nl, No
bool is_word(char32_t c);     // \w as in UTS 18: letters, marks, decimal digits, connectors, joiners
void append_lower(std::string& text, char32_t c);

// As in Unicode 8, which the tables of BERT's normalizer and of Punctuation come from: later characters are none.
bool is_old_punctuation(char32_t c);  // P, or ASCII punctuation
bool is_old_control(char32_t c);      // Cc, Cf, Co
bool is_old_accent(char32_t c);       // Mn

// As in Unicode 9, which StripAccents, UnicodeScripts and the normal forms come from.
bool is_old_mark(char32_t c);   // Mn, Mc, Me
int old_script_of(char32_t c);  // UScriptCode
enum class Form { nfc, nfd, nfkc, nfkd };
std::string normalized(std::string_view text, Form form);

// Where the user-perceived characters (extended grapheme clusters) of a text end, one after the other. Borrows the
// text. Not thread safe.
class Graphemes {
 public:
  explicit Graphemes(std::string_view text);
  ~Graphemes();
  Graphemes(const Graphemes&) = delete;
  Graphemes& operator=(const Graphemes&) = delete;
  size_t next();  // the end of the next one; npos after the last

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace statera::tokenizers
