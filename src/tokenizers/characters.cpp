#include "tokenizers/characters.hpp"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/uscript.h>
#include <unicode/utext.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>

#include "core/check.hpp"
#include "text/utf8.hpp"

namespace statera::tokenizers {

namespace {

UChar32 icu(char32_t c) { return static_cast<UChar32>(c); }

uint32_t category(char32_t c) { return c == broken ? 0 : U_GET_GC_MASK(icu(c)); }

// Whether the character was there in this version of Unicode.
bool is_of(int version, char32_t c) {
  UVersionInfo age;
  u_charAge(icu(c), age);
  return age[0] > 0 && age[0] <= version;
}

// Characters that have become something else since.
constexpr char32_t was_punctuation[] = {0x166D, 0x111C9}, was_accent[] = {0x1734},
                   was_no_accent[] = {0x1885, 0x1886, 0xA9BD}, was_mark[] = {0x1CF2, 0x1CF3}, was_no_mark[] = {0x111C9},
                   was_common[] = {0x589, 0x61C};

template <class Is>
bool all_of(std::string_view text, Is is) {
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    if (!is(c.code)) return false;
    at += c.size;
  }
  return true;
}

template <size_t n>
bool is_one_of(const char32_t (&set)[n], char32_t c) {
  return std::find(std::begin(set), std::end(set), c) != std::end(set);
}

}  // namespace

Character character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xC2 || first > 0xF4) return {broken, 1};
  const size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() - at < size) return {broken, 1};
  char32_t code = first & (0xFFu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {broken, 1};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (overlong || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF) return {broken, 1};
  return {code, size};
}

size_t character_before(std::string_view text, size_t at) {
  for (size_t size = 2; size <= 4 && size <= at; ++size)
    if (character_at(text.substr(0, at), at - size).size == size) return at - size;
  return at - 1;
}

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += character_at(text, at).size) ++count;
  return count;
}

void append(std::string& text, char32_t code) {
  const auto add = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (code == broken) {
    text += replacement_character;
  } else if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0 | code >> 6);
    add(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    add(0xE0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3F));
    add(0x80 | (code & 0x3F));
  } else {
    add(0xF0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3F));
    add(0x80 | (code >> 6 & 0x3F));
    add(0x80 | (code & 0x3F));
  }
}

size_t first_broken(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    if (c.code == broken) return at;
    at += c.size;
  }
  return text.npos;
}

std::string with_replacements(std::string_view text) {
  std::string whole;
  whole.reserve(text.size());
  Utf8Stream stream;
  for (const char byte : text) stream.push(static_cast<unsigned char>(byte), whole);
  if (stream.pending()) whole += replacement_character;
  return whole;
}

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c != broken && u_hasBinaryProperty(icu(c), UCHAR_WHITE_SPACE);
}

bool is_numeric(char32_t c) { return c < 0x80 ? c >= '0' && c <= '9' : (category(c) & U_GC_N_MASK) != 0; }

bool is_word(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  if (c == broken) return false;
  return u_hasBinaryProperty(icu(c), UCHAR_ALPHABETIC) || u_hasBinaryProperty(icu(c), UCHAR_JOIN_CONTROL) ||
         (category(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

bool is_old_mark(char32_t c) {
  if (c < 0x300 || is_one_of(was_no_mark, c)) return false;
  return is_one_of(was_mark, c) || ((category(c) & U_GC_M_MASK) != 0 && is_of(9, c));
}

int old_script_of(char32_t c) {
  UErrorCode error = U_ZERO_ERROR;
  if (is_one_of(was_common, c)) return USCRIPT_COMMON;
  return c == broken || !is_of(9, c) ? USCRIPT_UNKNOWN : uscript_getScript(icu(c), &error);
}

void append_lower(std::string& text, char32_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  } else if (c == 0x130) {  // the only character whose small form has two: i and a dot above
    text += "i\xCC\x87";
  } else {
    append(text, c == broken ? c : static_cast<char32_t>(u_tolower(icu(c))));
  }
}

bool is_old_punctuation(char32_t c) {
  if (c < 0x80) return c > ' ' && c != 0x7F && !is_word(c) ? true : c == '_';
  return is_one_of(was_punctuation, c) || ((category(c) & U_GC_P_MASK) != 0 && is_of(8, c));
}

bool is_old_control(char32_t c) {
  return (category(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0 && is_of(8, c);
}

bool is_old_accent(char32_t c) {
  if (c < 0x300 || is_one_of(was_no_accent, c)) return false;
  return is_one_of(was_accent, c) || ((category(c) & U_GC_MN_MASK) != 0 && is_of(8, c));
}

std::string normalized(std::string_view text, Form form) {
  if (all_of(text, [](char32_t c) { return c < 0x80; })) return std::string(text);
  UErrorCode error = U_ZERO_ERROR;
  const bool canonical = form == Form::nfc || form == Form::nfd, composes = form == Form::nfc || form == Form::nfkc;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getInstance(
      nullptr, canonical ? "nfc" : "nfkc", composes ? UNORM2_COMPOSE : UNORM2_DECOMPOSE, error);
  require(U_SUCCESS(error), ErrorCode::unsupported, "tokenizer: the Unicode library cannot normalise (",
          u_errorName(error), "); install its data");
  // The library knows the characters of Unicode 9; those that came later stay as they are.
  std::optional<icu::FilteredNormalizer2> old;
  if (!all_of(text, [](char32_t c) { return c == broken || is_of(9, c); })) {
    static const icu::UnicodeSet known = [&] {
      icu::UnicodeSet set(icu::UnicodeString("[:age=9.0:]"), error);
      set.freeze();
      return set;
    }();
    normalizer = &old.emplace(*normalizer, known);
  }
  require(U_SUCCESS(error), ErrorCode::unsupported, "tokenizer: the Unicode library cannot normalise (",
          u_errorName(error), "); install its data");
  std::string out;
  icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(std::min<size_t>(text.size(), INT32_MAX)));
  require(text.size() < INT32_MAX / 8, ErrorCode::unsupported, "tokenizer: ", text.size(),
          " bytes of text cannot be normalised at once; cut it");
  normalizer->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr, error);
  require(U_SUCCESS(error), ErrorCode::unsupported, "tokenizer: the Unicode library cannot normalise a text (",
          u_errorName(error), ")");
  return out;
}

struct Graphemes::Impl {
  UText* text = nullptr;
  UBreakIterator* breaks = nullptr;
};

Graphemes::Graphemes(std::string_view text) : impl_(new Impl) {
  UErrorCode error = U_ZERO_ERROR;
  impl_->text = utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &error);
  impl_->breaks = ubrk_open(UBRK_CHARACTER, "", nullptr, 0, &error);
  if (U_SUCCESS(error)) ubrk_setUText(impl_->breaks, impl_->text, &error);
  if (U_FAILURE(error)) {
    const std::string name = u_errorName(error);
    this->~Graphemes();
    fail(ErrorCode::unsupported, "tokenizer: the Unicode library cannot find characters (", name,
         "); install its data");
  }
}

Graphemes::~Graphemes() {
  if (impl_->breaks) ubrk_close(impl_->breaks);
  if (impl_->text) utext_close(impl_->text);
  delete impl_;
}

size_t Graphemes::next() {
  const int32_t end = ubrk_next(impl_->breaks);
  return end == UBRK_DONE ? std::string_view::npos : static_cast<size_t>(end);
}

}  // namespace statera::tokenizers
