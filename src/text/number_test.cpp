#include "text/number.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>

namespace statera {
namespace {

TEST(Numbers, AreWrittenAsPrintfWritesThem) {  // in the locale of tests, "C"
  const double values[] = {0,      -0.0, 1,   -1.5,   0.1,      2.0 / 3, 1e-5, 123456.789, 1e21, 1.7976931348623157e308,
                           5e-324, 0.5,  2.5, 0.0005, INFINITY, NAN};
  for (const double value : values)
    for (const int digits : {0, 1, 3, 6, 9}) {
      char text[512];
      std::snprintf(text, sizeof text, "%.*f", digits, value);
      EXPECT_EQ(fixed(value, digits), text);
      std::snprintf(text, sizeof text, "%.*g", digits, value);
      EXPECT_EQ(significant(value, digits), text);
      std::snprintf(text, sizeof text, "%.*e", digits, value);
      EXPECT_EQ(scientific(value, digits), text);
    }
}

TEST(Numbers, AreReadUpToTheirEnd) {
  const auto number = read_number("1.5h30m");
  ASSERT_TRUE(number);
  EXPECT_EQ(number->value, 1.5);
  EXPECT_EQ(number->length, 3u);
  EXPECT_EQ(read_number("2,5")->value, 2);
  for (const char* none : {"", "x", " 1", "+1", "1e999"}) EXPECT_FALSE(read_number(none)) << none;
}

TEST(Numbers, AreRounded) {
  EXPECT_EQ(rounded(0.0070000002160668373, 6), 0.007);
  EXPECT_EQ(rounded(0.00849, 2), 0.0085);
  EXPECT_EQ(rounded(0, 2), 0);
  // two digits would be beyond a double
  EXPECT_EQ(rounded(std::numeric_limits<double>::max(), 2), std::numeric_limits<double>::max());
}

}  // namespace
}  // namespace statera
