#include "tokenizers/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/characters.hpp"

namespace statera::tokenizers {

namespace {

constexpr uint32_t most_steps = 50'000'000;  // a pattern that goes astray; a match of a megabyte takes about a million

pcre2_code* code_of(const std::shared_ptr<void>& code) { return static_cast<pcre2_code*>(code.get()); }

std::string message_of(int error) {
  unsigned char text[256];
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

// What one thread needs to match; kept, since making it takes longer than most matches.
struct Matcher {
  Matcher()
      : data(pcre2_match_data_create(1, nullptr), pcre2_match_data_free),
        context(pcre2_match_context_create(nullptr), pcre2_match_context_free),
        stack(pcre2_jit_stack_create(32 << 10, 8 << 20, nullptr), pcre2_jit_stack_free) {
    if (!data || !context || !stack) throw std::bad_alloc();
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    pcre2_set_match_limit(context.get(), most_steps);
    pcre2_set_heap_limit(context.get(), 1 << 20);  // KiB
  }
  std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data;
  std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> context;
  std::unique_ptr<pcre2_jit_stack, void (*)(pcre2_jit_stack*)> stack;
};

}  // namespace

Regex::Regex(std::string_view pattern) : pattern_(pattern) {
  const std::string translated = to_pcre2(pattern);
  int error = 0;
  size_t at = 0;
  std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context*)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  if (!context) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), 100);
  const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), options, &error,
                                   &at, context.get());
  require(code != nullptr, ErrorCode::config, "the pattern ", in_quotes(pattern, 200),
          " cannot be read: ", message_of(error));
  code_ = std::shared_ptr<void>(code, [](void* p) { pcre2_code_free(static_cast<pcre2_code*>(p)); });
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where there is none, the same matches come from the interpreter
}

Regex Regex::literal(std::string_view text) {
  if (text.empty()) return Regex("");
  Regex regex;
  regex.pattern_ = regex.literal_ = text;
  return regex;
}

void Regex::each_literal(std::string_view text, Match match) const {
  for (size_t at = text.find(literal_); at != text.npos; at = text.find(literal_, at + literal_.size()))
    match(at, at + literal_.size());
}

void Regex::each(std::string_view text, Match match) const {
  if (!code_) return each_literal(text, match);
  static thread_local Matcher matcher;
  const size_t* found = pcre2_get_ovector_pointer(matcher.data.get());
  size_t from = 0, last_end = text.npos;
  while (from <= text.size()) {
    const auto run = [&](uint32_t options) {
      return pcre2_match(code_of(code_), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, options,
                         matcher.data.get(), matcher.context.get());
    };
    int result = run(0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);  // slower, with a stack that grows
    if (result == PCRE2_ERROR_NOMATCH) return;
    require(result >= 0, ErrorCode::unsupported, "the pattern ", in_quotes(pattern_, 200), " takes too ",
            result == PCRE2_ERROR_MATCHLIMIT ? "many steps" : "much memory", " on this text (", message_of(result),
            "); cut the text");
    const size_t begin = found[0], end = found[1];
    if (begin == end && begin == last_end) {
      from += from < text.size() ? character_at(text, from).size : 1;
      continue;
    }
    from = last_end = end;
    match(begin, end);
  }
}

}  // namespace statera::tokenizers
