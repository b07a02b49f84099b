#include "text/columns.hpp"

#include <locale.h>
#include <wchar.h>

#include <algorithm>

#include "text/utf8.hpp"

namespace statera {

namespace {
// The C library's wcwidth() depends on the encoding of the thread's locale, so this thread uses UTF-8 while one of
// these lives.
class Utf8Locale {
 public:
  Utf8Locale() : before_(utf8() ? uselocale(utf8()) : nullptr) {}
  ~Utf8Locale() {
    if (before_) uselocale(before_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  static locale_t utf8() {
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;
  }
  const locale_t before_;
};

wchar_t code_point(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<wchar_t>(static_cast<unsigned char>(character[i])); };
  if (character.size() == 1) return std::min(byte(0), wchar_t{'?'});
  wchar_t code = byte(0) & (character.size() == 2 ? 0x1F : character.size() == 3 ? 0x0F : 0x07);
  for (size_t i = 1; i < character.size(); ++i) code = (code << 6) | (byte(i) & 0x3F);
  return code;
}

size_t width(wchar_t code) {
  if (code < 0x7F) return 1;
  const int known = wcwidth(code);
  // assume the larger width: the character may be newer than the library
  return known >= 0 ? static_cast<size_t>(known) : 2;
}

// The first character; a single byte if the bytes are not UTF-8.
std::string_view character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::string_view bytes = text.substr(0, lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4);
  Utf8Stream stream;
  std::string read;
  for (const char c : bytes) stream.push(static_cast<unsigned char>(c), read);
  return read == bytes ? bytes : bytes.substr(0, 1);
}
}  // namespace

std::string_view first_columns(std::string_view text, size_t columns) {
  const Utf8Locale locale;
  size_t bytes = 0;
  while (bytes < text.size()) {
    const std::string_view next = character(text.substr(bytes));
    const size_t takes = width(code_point(next));
    if (takes > columns) break;
    columns -= takes;
    bytes += next.size();
  }
  return text.substr(0, bytes);
}

size_t columns_of(std::string_view text) {
  const Utf8Locale locale;
  size_t columns = 0;
  for (; !text.empty(); text.remove_prefix(character(text).size())) columns += width(code_point(character(text)));
  return columns;
}

std::string cut_to_columns(std::string_view text, size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  const std::string_view more = std::string_view("..").substr(0, columns);
  return std::string(first_columns(text, columns - more.size())).append(more);
}

}  // namespace statera
