// From Oniguruma's syntax to PCRE2's. Both know Perl's core; what differs is replaced by classes that say the same.
#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/regex.hpp"

namespace statera::tokenizers {

namespace {

// What may stand within the brackets of a class for a set of Oniguruma's.
struct Set {
  std::string_view name, inside;
};
constexpr std::string_view word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
// \w by itself, and what \b is made of, goes by a table of Latin-1, in which raised digits and fractions are letters.
constexpr std::string_view lone_word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\xB2\\xB3\\xB9\\xBC-\\xBE";
constexpr std::array sets{
    Set{"alnum", "\\p{Alphabetic}\\p{Nd}"},
    Set{"alpha", "\\p{Alphabetic}"},
    Set{"blank", "\\p{Zs}\\t"},
    Set{"cntrl", "\\p{Cc}"},
    Set{"digit", "\\p{Nd}"},
    Set{"lower", "\\p{Lowercase}"},
    Set{"punct", "\\p{P}\\p{S}"},
    Set{"space", "\\p{White_Space}"},
    Set{"upper", "\\p{Uppercase}"},
    Set{"word", word},
    Set{"xdigit", "0-9A-Fa-f"},
};

std::optional<std::string_view> set_of(std::string_view name) {
  const auto found = std::find_if(sets.begin(), sets.end(), [&](const Set& set) { return set.name == name; });
  return found == sets.end() ? std::nullopt : std::optional(found->inside);
}

// "L" for "Letter", "sc:Han" for "Han"; the name itself for what is neither a category nor a script.
std::string property_name(const std::string& name) {
  const int32_t mask = u_getPropertyValueEnum(UCHAR_GENERAL_CATEGORY_MASK, name.c_str());
  if (mask != UCHAR_INVALID_CODE) {
    const char* brief = u_getPropertyValueName(UCHAR_GENERAL_CATEGORY_MASK, mask, U_SHORT_PROPERTY_NAME);
    return brief ? brief : name;
  }
  const int32_t script = u_getPropertyValueEnum(UCHAR_SCRIPT, name.c_str());
  return script == UCHAR_INVALID_CODE ? name
                                      : "sc:" + std::string(uscript_getShortName(static_cast<UScriptCode>(script)));
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\')
        escape(false);
      else if (c == '[')
        character_class();
      else if (c == '(' && next(1) == '?')
        group();
      else if (c == '{')
        repeat();
      else
        out_ += pattern_[at_++];
    }
    return out_;
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    fail(ErrorCode::unsupported, "the pattern ", in_quotes(pattern_, 200), ": ", what,
         " is not supported; expected what Oniguruma and PCRE2 both have");
  }
  char next(size_t by) const { return at_ + by < pattern_.size() ? pattern_[at_ + by] : '\0'; }
  std::string_view rest() const { return pattern_.substr(at_); }

  void put_set(std::string_view inside, bool negated, bool in_class, std::string_view name) {
    if (in_class && negated) {
      if (inside.starts_with("\\p{") && inside.find('}') == inside.size() - 1)
        (out_ += "\\P") += inside.substr(2);
      else
        refuse(std::string(name) + " within [ ]");
    } else if (in_class) {
      out_ += inside;
    } else {
      ((out_ += negated ? "[^" : "[") += inside) += ']';
    }
  }

  void property(bool in_class) {
    const size_t close = pattern_.find('}', at_);
    if (next(2) != '{' || close == pattern_.npos) refuse("\\p without { }");
    bool negated = next(1) == 'P';
    std::string name(pattern_.substr(at_ + 3, close - at_ - 3));
    if (name.starts_with('^')) {
      negated = !negated;
      name.erase(0, 1);
    }
    std::string plain;
    for (const char c : name)
      if (c != ' ' && c != '_' && c != '-') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    at_ = close + 1;
    if (plain == "word") return put_set(lone_word, negated, in_class, name);
    // \p{Punct} is the category, [:punct:] has symbols as well.
    if (const auto inside = set_of(plain); inside && plain != "punct") return put_set(*inside, negated, in_class, name);
    ((out_ += negated ? "\\P{" : "\\p{") += property_name(name)) += '}';
  }

  // `at_` is at a backslash.
  void escape(bool in_class) {
    const char c = next(1);
    if (at_ + 1 >= pattern_.size()) refuse("a backslash at the end");
    if (c == 'p' || c == 'P') return property(in_class);
    if (c == 'u') {
      const std::string_view hex = pattern_.substr(at_ + 2, 4);
      if (hex.size() < 4 || !std::all_of(hex.begin(), hex.end(), [](unsigned char h) { return std::isxdigit(h); }))
        refuse("\\u without four hexadecimal digits");
      ((out_ += "\\x{") += hex) += '}';
      at_ += 6;
      return;
    }
    if (c == 'x' && std::string_view("89abcdefABCDEF").find(next(2)) != std::string_view::npos &&
        std::isxdigit(static_cast<unsigned char>(next(3))))
      refuse("a byte above \\x7F");  // there, bytes of UTF-8; here it would be a character
    const std::string_view both = pattern_.substr(at_, 2);
    at_ += 2;
    switch (c) {
      case 's':
        return put_set(*set_of("space"), false, in_class, both);
      case 'S':
        return put_set(*set_of("space"), true, in_class, both);
      case 'd':
        return put_set(*set_of("digit"), false, in_class, both);
      case 'D':
        return put_set(*set_of("digit"), true, in_class, both);
      case 'w':
        return put_set(in_class ? word : lone_word, false, in_class, both);
      case 'W':
        return put_set(in_class ? word : lone_word, true, in_class, both);
      case 'h':
        return put_set(*set_of("xdigit"), false, in_class, both);
      case 'H':
        return put_set(*set_of("xdigit"), true, in_class, both);
      case 'v':
        out_ += "\\x0B";
        return;
      case 'b':
        out_ += in_class ? "\\x08" : boundary(true);
        return;
      case 'B':
        if (in_class) refuse(both);
        out_ += boundary(false);
        return;
      default:
        break;
    }
    if (std::isalpha(static_cast<unsigned char>(c)) && std::string_view("nrtfaexAzZGKRXkg").find(c) == both.npos)
      refuse(both);
    out_ += both;
  }

  static std::string boundary(bool there) {
    const std::string w = "[" + std::string(lone_word) + "]";
    return there ? "(?:(?<=" + w + ")(?!" + w + ")|(?<!" + w + ")(?=" + w + "))"
                 : "(?:(?<=" + w + ")(?=" + w + ")|(?<!" + w + ")(?!" + w + "))";
  }

  // `at_` is at a bracket. Brackets within brackets are a union.
  void character_class() {
    out_ += pattern_[at_++];
    if (next(0) == '^') out_ += pattern_[at_++];
    if (next(0) == ']') {
      out_ += "\\]";
      ++at_;
    }
    for (int depth = 1; depth > 0;) {
      if (at_ >= pattern_.size()) refuse("[ without ]");
      const char c = pattern_[at_];
      if (rest().starts_with("&&")) refuse("&&");
      if (rest().starts_with("[:")) {
        named_class();
      } else if (c == '[') {
        if (next(1) == '^') refuse("[^ within [ ]");
        if (out_.ends_with('-')) refuse("-[ within [ ]");
        ++depth;
        ++at_;
      } else if (c == ']') {
        if (--depth == 0) out_ += ']';
        ++at_;
      } else if (c == '\\') {
        escape(true);
      } else {
        out_ += pattern_[at_++];
      }
    }
  }

  void named_class() {
    const size_t close = pattern_.find(":]", at_);
    std::string_view name = pattern_.substr(at_ + 2, close == pattern_.npos ? 0 : close - at_ - 2);
    const bool negated = name.starts_with('^');
    if (negated) name.remove_prefix(1);
    const auto inside = set_of(name);
    if (!inside) refuse("[:" + std::string(name) + ":]");
    put_set(*inside, negated, true, name);
    at_ = close + 2;
  }

  // `at_` is at "(?".
  void group() {
    const std::string_view after = pattern_.substr(at_ + 2);
    for (const std::string_view same : {":", "=", "!", ">", "#", "<"})
      if (after.starts_with(same)) {
        out_ += "(?";
        at_ += 2;
        return;
      }
    out_ += "(?";
    const bool at_begin = at_ == 0;
    for (at_ += 2; next(0) != ':' && next(0) != ')'; ++at_) {
      const char flag = next(0);
      if (flag != 'i' && flag != 'x' && flag != 'm' && flag != '-') refuse("(?" + std::string(after.substr(0, 1)));
      out_ += flag == 'm' ? 's' : flag;  // that . takes line ends as well
    }
    // There, a(?i)b|c is a(?i:b|c).
    if (next(0) == ')' && !at_begin) refuse("(?" + std::string(after.substr(0, 1)) + ") in the middle");
    if (after.substr(0, after.find_first_of(":)-")).find('i') != after.npos) check_folds();
  }

  // What follows without regard to case must not hold letters that one character stands for, such as ss for U+00DF:
  // Oniguruma takes the one for the others, PCRE2 does not.
  void check_folds() const {
    int depth = 1;
    std::string inside;
    for (size_t i = at_ + 1; i < pattern_.size() && depth > 0; ++i) {
      if (pattern_[i] == '\\' && i + 1 < pattern_.size())
        ++i;
      else if (pattern_[i] == '(')
        ++depth;
      else if (pattern_[i] == ')')
        --depth;
      inside += static_cast<char>(std::tolower(static_cast<unsigned char>(pattern_[i])));
    }
    for (const std::string_view several : {"ss", "ff", "fi", "fl", "st", "\xC3\x9F", "\xEF\xAC"})
      if (inside.find(several) != inside.npos) refuse(in_quotes(several) + " without regard to case");
  }

  // `at_` is at a brace, which repeats where it has the form {n}, {n,}, {,m} or {n,m}.
  void repeat() {
    const size_t close = pattern_.find('}', at_);
    const std::string_view inside = pattern_.substr(at_ + 1, close == pattern_.npos ? 0 : close - at_ - 1);
    const bool numbers =
        !inside.empty() && inside != "," &&
        std::all_of(inside.begin(), inside.end(), [](unsigned char c) { return std::isdigit(c) || c == ','; }) &&
        std::count(inside.begin(), inside.end(), ',') <= 1;
    if (!numbers) {
      out_ += "\\{";
      ++at_;
      return;
    }
    const char after = close + 1 < pattern_.size() ? pattern_[close + 1] : '\0';
    if (after == '+' || (after == '?' && inside.find(',') == inside.npos))
      refuse("{" + std::string(inside) + "}" + after);
    ((out_ += inside.starts_with(',') ? "{0" : "{") += inside) += '}';
    at_ = close + 1;
  }

  std::string_view pattern_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string to_pcre2(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace statera::tokenizers
