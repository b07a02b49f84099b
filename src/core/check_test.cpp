#include "core/check.hpp"
#include "core/characters.hpp"

#include <gtest/gtest.h>

#include <string>

namespace statera {
namespace {

std::string message_of(const std::string& quoted) {
  try {
    fail(ErrorCode::config, "unknown type '", quoted, "'");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    return error.what();
  }
}

TEST(Check, MessagesAreOneLine) {
  EXPECT_EQ(message_of("a b\xC3\xA4"), "unknown type 'a b\xC3\xA4'");
  EXPECT_EQ(message_of("a\n\x1b[31mb"), "unknown type 'a??[31mb'");
  EXPECT_EQ(message_of("\xC2\x9B"
                       "31m\xFF"),
            "unknown type '\\xc2\\x9b31m\\xff'");
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "\xC3\xA4";
  const std::string cut = message_of(umlauts);
  EXPECT_LE(cut.size(), 1003u);
  EXPECT_TRUE(cut.ends_with("\xC3\xA4...")) << cut;
  EXPECT_NO_THROW(require(true, ErrorCode::io, ""));
  EXPECT_THROW(require(false, ErrorCode::io, ""), Error);
}

TEST(Characters, OnlyWhatMayBeShown) {
  for (const char* good : {"a", "~", "\xC2\xA0", "\xC3\xA4", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_EQ(shown_character(good), std::string(good).size()) << good;
  for (const char* bad : {"\x1b", "\x7f", "\x80", "\xC2\x80", "\xC2\x9B", "\xC2\x9F", "\xC0\x80", "\xC1\xBF", "\xC3",
                          "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82"})
    EXPECT_EQ(shown_character(bad), 0u) << bad;
}

}  // namespace
}  // namespace statera
