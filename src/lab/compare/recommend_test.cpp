// The sentences, on figures made up for the purpose: who wins by quality, by cost, and when no model does.
#include "lab/compare/recommend.hpp"

#include <gtest/gtest.h>

namespace statera {
namespace {

const Circumstances text = {.data = "book.txt", .terms = "equal time (60 s a training)", .best_baseline = "n-gram order 4", .baseline_bits = 2.4};

Contender contender(const char* name, double bits, double behind, double error, double step, double state) {
  return {.name = name, .bits_per_byte = bits, .behind = behind, .error = error, .doubt = 2 * error, .step_seconds = step, .state_bytes = state};
}

TEST(Recommend, AheadOfAllByMoreThanTheNoise) {
  const Recommendation r = recommend({contender("attention", 2.031, 0.031, 0.008, 4e-3, 11e6), contender("hybrid", 2.0, 0, 0, 2e-3, 1e6)}, text);
  EXPECT_EQ(r.winner, "hybrid");
  EXPECT_EQ(r.decided_by, "quality");
  EXPECT_EQ(r.sentences.front(),
            "On book.txt, at equal time (60 s a training), hybrid is 0.031 +- 0.008 bits per byte ahead of attention; its state is 11 times smaller and "
            "its step 2.0 times faster with 16,384 bytes of context kept.");
  EXPECT_NE(r.sentences.back().find("luck of a seed"), std::string::npos);
}

TEST(Recommend, TheSeedsAreNamedOnlyWhereThereIsOne) {
  Circumstances three = text;
  three.seeds = 3;
  const Recommendation r = recommend({contender("a", 2.1, 0.1, 0.01, 1, 1), contender("b", 2.0, 0, 0, 1, 1)}, three);
  ASSERT_EQ(r.sentences.size(), 1u);
  EXPECT_NE(r.sentences[0].find("their steps and states cost the same with 16,384"), std::string::npos) << r.sentences[0];
}

TEST(Recommend, WithinTheNoiseTheCheaperOne) {
  const Recommendation r =
      recommend({contender("attention", 2.0, 0, 0, 4e-3, 11e6), contender("mamba2", 2.01, 0.01, 0.006, 1e-3, 1e6), contender("mamba1", 2.2, 0.2, 0.01, 1e-4, 1e5)}, text);
  EXPECT_EQ(r.winner, "mamba2");  // mamba1 is cheaper still, and too far behind
  EXPECT_EQ(r.decided_by, "cost");
  EXPECT_EQ(r.sentences[0], "On book.txt, at equal time (60 s a training), attention and mamba2 cannot be told apart: 0.010 +- 0.006 bits per byte lie between them.");
  EXPECT_EQ(r.sentences[1], "By cost, take mamba2: beside attention, its state is 11 times smaller and its step 4.0 times faster with 16,384 bytes of context kept.");
}

TEST(Recommend, TwoSeedsLeaveMoreDoubtThanTwoErrors) {
  Contender behind = contender("attention", 2.1, 0.1, 0.01, 2, 1);
  EXPECT_EQ(recommend({behind, contender("mamba2", 2.0, 0, 0, 1, 1)}, text).decided_by, "quality");
  behind.doubt = 0.12;
  EXPECT_EQ(recommend({behind, contender("mamba2", 2.0, 0, 0, 1, 1)}, text).decided_by, "cost");
}

TEST(Recommend, ALargerStateIsCalledLarger) {
  const Recommendation r = recommend({contender("mamba2", 2.3, 0.3, 0.01, 1e-3, 1e6), contender("attention", 2.0, 0, 0, 1.5e-3, 30e6)}, text);
  EXPECT_NE(r.sentences[0].find("its state is 30 times larger and its step 1.5 times slower"), std::string::npos) << r.sentences[0];
}

TEST(Recommend, NoModelIsWorthIt) {
  const Recommendation r = recommend({contender("a", 2.5, 0, 0, 1, 1), contender("b", 2.6, 0.1, 0.01, 1, 1)}, text);
  EXPECT_FALSE(r.winner);
  EXPECT_EQ(r.decided_by, "baseline");
  EXPECT_NE(r.sentences[0].find("n-gram order 4 costs 2.400 bits per byte, a, the best model, 2.500"), std::string::npos) << r.sentences[0];
}

TEST(Recommend, WithCandidatesToComeThereIsNoVerdictAgainstModels) {
  Circumstances partial = text;
  partial.complete = false;
  const Recommendation r = recommend({contender("a", 2.5, 0, 0, 1, 1)}, partial);
  EXPECT_FALSE(r.winner);
  EXPECT_EQ(r.decided_by, "nothing");
  EXPECT_NE(r.sentences[0].find("so far a costs 2.500 bits per byte and n-gram order 4 2.400"), std::string::npos) << r.sentences[0];
}

TEST(Recommend, OneOrNone) {
  EXPECT_EQ(recommend({}, text).decided_by, "nothing");
  const Recommendation r = recommend({contender("a", 2.0, 0, 0, 0, 0)}, text);
  EXPECT_EQ(r.winner, "a");
  EXPECT_NE(r.sentences[0].find("no other candidate"), std::string::npos);
}

TEST(Recommend, WithinFivePerCentOfTheFastestTheSmallestState) {
  const Recommendation r = recommend({contender("a", 2.0, 0, 0, 1.0, 30), contender("b", 2.0, 0, 0.01, 0.96, 20), contender("c", 2.0, 0, 0.01, 0.92, 25)}, text);
  EXPECT_EQ(r.winner, "b");
}

TEST(Recommend, StopsBeforeCostsAreKnown) {
  const Recommendation r = recommend({contender("a", 2.0, 0, 0, 0, 0), contender("b", 2.001, 0.001, 0.01, 0, 0)}, text);
  EXPECT_FALSE(r.winner);
  EXPECT_NE(r.sentences[1].find("not measured yet"), std::string::npos) << r.sentences[1];
}

}  // namespace
}  // namespace statera
