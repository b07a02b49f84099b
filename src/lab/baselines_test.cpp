// The baselines on the text that the repository ships: the numbers that a model has to beat.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "lab/ngram.hpp"
#include "lab/xz.hpp"

namespace statera {
namespace {

ByteSource from(std::vector<std::string> documents) { return ByteSource::from_memory(documents); }

TEST(Baselines, TinyShakespeare) {
  const ByteSource text(std::string(STATERA_SOURCE_DIR "/data/tinyshakespeare.txt.xz"));
  ASSERT_EQ(text.bytes(), 1115394);
  const auto [train, held_out] = text.split(0.1);
  EXPECT_EQ(train.bytes(), 1003854);
  const NgramCost ngrams = ngram_cost(train, held_out);
  const std::vector<double> expected{4.83, 3.59, 2.96, 2.56, 2.41, 2.45};
  ASSERT_EQ(ngrams.bits_per_byte.size(), expected.size());
  for (size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(ngrams.bits_per_byte[k], expected[k], 0.01) << "order " << k;
  EXPECT_EQ(ngrams.note, "");
  const XzCost xz = xz_cost(train, held_out);
  EXPECT_NEAR(xz.bits_per_byte, 2.52, 0.01);
  EXPECT_EQ(xz.note, "");
}

TEST(Ngram, IsTheFormula) {
  // Order 0 after "aab": c(a) = 2, c(b) = 1, T = 2, N = 3. Order 1: a was followed by a and b, once each.
  const double a = (2 + 2.0 / 256) / 5, b = (1 + 2.0 / 256) / 5, c = (0 + 2.0 / 256) / 5;
  const double a_after_a = (1 + 2 * a) / 4, c_after_a = (0 + 2 * c) / 4;
  const NgramCost cost = ngram_cost(from({"aab"}), from({"baac", "a"}), {.max_order = 1});
  EXPECT_NEAR(cost.bits_per_byte[0], -std::log2(b * a * a * c * a) / 5, 1e-12);
  EXPECT_NEAR(cost.bits_per_byte[1], -std::log2(b * a * a_after_a * c_after_a * a) / 5, 1e-12);  // nothing ever followed b
}

TEST(Ngram, NoStringCrossesADocument) {
  const NgramCost apart = ngram_cost(from({"ab", "ab"}), from({"ba"}), {.max_order = 1});
  EXPECT_NEAR(apart.bits_per_byte[1], apart.bits_per_byte[0], 1e-12);  // "ba" would only occur across the boundary
}

TEST(Ngram, SaysWhatItSkips) {
  std::string noise;
  for (uint32_t i = 0, x = 1; i < 20000; ++i) noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  const NgramCost cost = ngram_cost(from({noise}), from({"abc"}), {.max_train_bytes = 19000, .max_table_bytes = 1 << 18});
  EXPECT_EQ(cost.bits_per_byte.size(), 1u);
  EXPECT_NE(cost.note.find("order 1 and above skipped"), std::string::npos) << cost.note;
  EXPECT_NE(cost.note.find("last 19000 bytes"), std::string::npos) << cost.note;
}

TEST(Baselines, EndWhenTheyAreToldTo) {
  struct Stopped {};
  int calls = 0;
  const auto often = [&] {
    if (++calls == 2) throw Stopped();
  };
  const std::string text(300'000, 'a');
  EXPECT_THROW(ngram_cost(from({text}), from({"abc"}), {.often = often}), Stopped);
  calls = 0;
  EXPECT_THROW(xz_cost(from({text}), from({"abc"}), {.often = often}), Stopped);
}

TEST(Xz, SaysWhatItSkips) {
  const ByteSource train = from({"once upon a time", "there was"});
  const XzCost cost = xz_cost(train, from({"once upon"}), {.max_train_bytes = 9, .max_held_out_bytes = 5});
  EXPECT_NE(cost.note.find("last 9 bytes"), std::string::npos) << cost.note;
}

}  // namespace
}  // namespace statera
