#include "text/columns.hpp"

#include <gtest/gtest.h>

namespace statera {
namespace {

TEST(Columns, WideCharactersTakeTwoAndCombiningOnesNone) {
  EXPECT_EQ(columns_of(""), 0u);
  EXPECT_EQ(columns_of("plain"), 5u);
  EXPECT_EQ(columns_of("Gr\u00fc\u00dfe"), 5u);
  EXPECT_EQ(columns_of("u\u0308"), 1u);
  EXPECT_EQ(columns_of("\u732b\uac00\uff21"), 6u);
  EXPECT_EQ(columns_of("\U0001f600"), 2u);
  EXPECT_EQ(columns_of("\xff\xe7"), 2u);
}

TEST(Columns, WhatIsTooLongIsCutBetweenCharacters) {
  EXPECT_EQ(cut_to_columns("plain", 5), "plain");
  EXPECT_EQ(cut_to_columns("plain", 4), "pl..");
  EXPECT_EQ(cut_to_columns("\u732b\u732b\u732b", 6), "\u732b\u732b\u732b");
  EXPECT_EQ(cut_to_columns("\u732b\u732b\u732b", 5), "\u732b..");
  EXPECT_EQ(cut_to_columns("a\u732b\u732b\u732b", 5), "a\u732b..");
  EXPECT_EQ(cut_to_columns("u\u0308nd so", 4), "u\u0308n..");
  EXPECT_EQ(cut_to_columns("plain", 1), ".");
  EXPECT_EQ(cut_to_columns("plain", 0), "");
  for (size_t columns = 0; columns < 12; ++columns)
    EXPECT_LE(columns_of(cut_to_columns("\u732ba\u732bu\u0308\xff\u732b xyz", columns)), columns);
}

}  // namespace
}  // namespace statera
