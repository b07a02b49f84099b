#include "core/check.hpp"

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
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "\xC3\xA4";
  const std::string cut = message_of(umlauts);
  EXPECT_LE(cut.size(), 1003u);
  EXPECT_TRUE(cut.ends_with("\xC3\xA4...")) << cut;
  EXPECT_NO_THROW(require(true, ErrorCode::io, ""));
  EXPECT_THROW(require(false, ErrorCode::io, ""), Error);
}

}  // namespace
}  // namespace statera
