// Patterns of tokenizers, which are written for Oniguruma and run by PCRE2.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/function_ref.hpp"

namespace statera::tokenizers {

// The same pattern in PCRE2's syntax. Throws ErrorCode::unsupported, naming what has no counterpart there.
std::string to_pcre2(std::string_view pattern);

// Immutable. Thread-safe.
class Regex {
 public:
  // Throws ErrorCode::config if this is no pattern, ErrorCode::unsupported if it cannot be run here.
  explicit Regex(std::string_view pattern);
  static Regex literal(std::string_view text);  // matches this text

  using Match = FunctionRef<void(size_t begin, size_t end)>;
  // Calls `match` for all matches from left to right. No match is empty and at the end of the one before it. Bytes that
  // are not UTF-8 match nothing. Throws ErrorCode::unsupported if the pattern takes too many steps.
  void each(std::string_view text, Match match) const;

 private:
  Regex() = default;
  void each_literal(std::string_view text, Match match) const;
  std::string pattern_, literal_;
  std::shared_ptr<void> code_;  // null: the literal
};

}  // namespace statera::tokenizers
