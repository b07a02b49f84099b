#include "text/utf8.hpp"

#include <gtest/gtest.h>

namespace statera {
namespace {

std::string through(const std::string& bytes) {
  Utf8Stream stream;
  std::string out;
  for (char c : bytes) stream.push(static_cast<unsigned char>(c), out);
  return out;
}

TEST(Utf8, WholeCharactersPass) {
  const std::string text = "aé漢😀\x7F\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF";
  EXPECT_EQ(through(text), text);
}

TEST(Utf8, AHalfCharacterIsHeldBack) {
  EXPECT_EQ(through("a\xE6\xBC"), "a");
  EXPECT_EQ(through("\xF0\x9F\x98"), "");
}

TEST(Utf8, BadBytesAreReplaced) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(through("\x80"
                    "a"),
            bad + "a");
  EXPECT_EQ(through("\xC0\x80"), bad + bad);            // overlong
  EXPECT_EQ(through("\xED\xA0\x80"), bad + bad + bad);  // surrogate
  EXPECT_EQ(through("\xF4\x90"), bad + bad);            // above U+10FFFF
  EXPECT_EQ(through("\xE6\xBC"
                    "x"),
            bad + "x");
}

}  // namespace
}  // namespace statera
