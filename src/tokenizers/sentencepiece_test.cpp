// SentencePiece models: their self-test, and what of them is plain text.
#include <gtest/gtest.h>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "support/sentencepiece.hpp"

namespace statera {
namespace {

using Ids = std::vector<int32_t>;

test::SentencePieceModel small(int kind) {
  test::SentencePieceModel model(kind);
  model.piece("<unk>", 0, 2).piece("<s>", 0, 3).piece("a", -1).piece("b", -2).piece("ab", -1.5F).piece("x", 0, 3);
  return model;
}

TEST(SentencePiece, TheSelfTestRuns) {
  const Tokenizer none = Tokenizer::parse(small(1).bytes(), "x.model");
  EXPECT_EQ(none.self_tests(), 0);
  EXPECT_EQ(none.encode("abb").ids, (Ids{4, 3}));
  const std::string good = small(1).example("abb", "ab b").example("ba", "b a").bytes();
  EXPECT_EQ(Tokenizer::parse(good, "x.model").self_tests(), 2);
  const std::string bad = small(1).example("ba", "b a").example("abb", "a b b").bytes();
  try {
    Tokenizer::parse(bad, "x.model");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    EXPECT_STREQ(error.what(), "x.model: its self-test fails: 'abb' became 'ab b'; expected 'a b b'");
  }
}

// The ids are those of SentencePiece 0.2.3: a control piece that is a word or a letter is unknown, plain or not.
TEST(SentencePiece, ControlPiecesAreNoText) {
  for (const int kind : {1, 2, 3, 4}) {
    const Tokenizer tokenizer = Tokenizer::parse(small(kind).bytes(), "x.model");
    for (const bool plain : {false, true}) {
      const auto ids = [&](std::string_view text) { return tokenizer.encode(text, {.plain = plain}).ids; };
      EXPECT_EQ(ids("x"), Ids{0}) << kind;
      EXPECT_EQ(ids("<s>"), Ids{0}) << kind;
      EXPECT_EQ(ids("axb"), kind == 3 ? Ids{0} : (Ids{2, 0, 3})) << kind;
    }
  }
}

}  // namespace
}  // namespace statera
