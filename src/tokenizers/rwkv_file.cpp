// The vocabulary of RWKV World: a line a token, with its id, the token as a literal of Python ('...', "..." or b'...'),
// and its size in bytes.
#include <charconv>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/characters.hpp"
#include "tokenizers/decoders.hpp"
#include "tokenizers/tokenizer_impl.hpp"
#include "tokenizers/word_models.hpp"

namespace statera::tokenizers {

namespace {

struct Line {
  std::string_view text;
  const std::string& where;
  int64_t number;

  [[noreturn]] void refuse(std::string_view why) const {
    fail(ErrorCode::config, where, ": line ", number, ": ", why, "; expected an id, a literal and its size, got ",
         in_quotes(text));
  }
  int64_t whole_number(std::string_view digits) const {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 0) refuse("no number");
    return value;
  }
};

// Appends the character with this code: in b'' a byte, in '' a character in UTF-8.
void put(std::string& out, uint32_t code, bool is_bytes) {
  if (is_bytes)
    out += static_cast<char>(code);
  else
    append(out, code < 0x110000 && (code < 0xD800 || code >= 0xE000) ? code : broken);
}

// Reads the escape that begins at `at`, a backslash, and returns where it ends.
size_t read_escape(std::string_view inside, size_t at, bool is_bytes, const Line& line, std::string& out) {
  const char c = at + 1 < inside.size() ? inside[at + 1] : '\0';
  const size_t digits = c == 'x' ? 2 : c == 'u' && !is_bytes ? 4 : c == 'U' && !is_bytes ? 8 : 0;
  if (digits > 0) {
    const std::string_view hex = inside.substr(std::min(at + 2, inside.size()), digits);
    uint32_t code = 0;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (hex.size() != digits || error != std::errc() || end != hex.data() + digits) line.refuse("a broken escape");
    put(out, code, is_bytes);
    return at + 2 + digits;
  }
  constexpr std::string_view names = "\\'\"nrtabfv0", values{"\\'\"\n\r\t\a\b\f\v\0", 11};
  const size_t which = names.find(c);
  if (which == names.npos) line.refuse("an unknown escape");
  out += values[which];
  return at + 2;
}

std::string read_literal(std::string_view literal, const Line& line) {
  const bool is_bytes = literal.starts_with('b');
  if (is_bytes) literal.remove_prefix(1);
  const bool quoted = literal.size() >= 2 && (literal[0] == '\'' || literal[0] == '"') && literal.back() == literal[0];
  if (!quoted) line.refuse("no literal in quotes");
  const std::string_view inside = literal.substr(1, literal.size() - 2);
  std::string out;
  for (size_t at = 0; at < inside.size();)
    if (inside[at] == '\\')
      at = read_escape(inside, at, is_bytes, line, out);
    else
      out += inside[at++];
  return out;
}

}  // namespace

bool is_rwkv_vocabulary(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view rest = text.substr(digits);
  return digits > 0 &&
         (rest.starts_with(" '") || rest.starts_with(" \"") || rest.starts_with(" b'") || rest.starts_with(" b\""));
}

std::shared_ptr<Tokenizer::Impl> read_rwkv(std::string_view text, const std::string& where) {
  Vocabulary tokens;
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view content = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (content.ends_with('\r')) content.remove_suffix(1);
    const Line line{content, where, ++number};
    if (content.empty()) continue;
    const size_t first = content.find(' '), last = content.rfind(' ');
    if (first == content.npos || last <= first) line.refuse("too few parts");
    const std::string token = read_literal(content.substr(first + 1, last - first - 1), line);
    if (static_cast<int64_t>(token.size()) != line.whole_number(content.substr(last + 1)))
      line.refuse("the token has " + std::to_string(token.size()) + " bytes");
    if (token.empty() || tokens.id_of(token)) line.refuse(token.empty() ? "an empty token" : "a token that was there");
    const int64_t id = line.whole_number(content.substr(0, first));
    if (id == 0 || (id < most_ids && tokens.token_of(static_cast<int32_t>(id)))) line.refuse("an id that is taken");
    tokens.add(token, id, where);
  }
  auto impl = std::make_shared<Tokenizer::Impl>();
  impl->name = where;
  impl->kind = "longest match";
  impl->model = longest_match(std::move(tokens), -1, where);
  impl->decoder = fuse_decoder();
  // 0 ends a text. It stands for no bytes, and none are 0.
  impl->added = AddedTokens({{.content = "", .id = 0, .special = true}}, nullptr);
  impl->any_bytes = true;
  impl->pairs = false;
  return impl;
}

}  // namespace statera::tokenizers
