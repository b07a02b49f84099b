// The sentences, on figures made up for the purpose: who wins by quality, by cost, and when no model does.
#include "lab/compare/recommend.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace statera {
namespace {

const Circumstances text = {.data = "book.txt",
                            .terms = "equal time (60 s per training)",
                            .seeds = 1,
                            .searched = true,
                            .complete = true,
                            .frozen = {"n-gram order 4", 2.4},
                            .learning = {}};

Contender contender(const char* name, double bits, double behind, double error, double step, double state) {
  return {.name = name,
          .bits_per_byte = bits,
          .behind = behind,
          .error = error,
          .doubt = 2 * error,
          .context = 512,
          .step_seconds = step,
          .state_bytes = state};
}
bool says(const Recommendation& r, const std::string& words) {
  return std::ranges::any_of(r.sentences, [&](const std::string& s) { return s.find(words) != std::string::npos; });
}

TEST(Recommend, AheadOfAllByMoreThanTheNoise) {
  const Recommendation r = recommend(
      {contender("attention", 2.031, 0.031, 0.008, 4e-3, 11e6), contender("hybrid", 2.0, 0, 0, 2e-3, 1e6)}, text);
  EXPECT_EQ(r.winner, "hybrid");
  EXPECT_EQ(r.decided_by, "quality");
  EXPECT_EQ(
      r.sentences.front(),
      "On book.txt, at equal time (60 s per training), hybrid is 0.031 +- 0.008 bits per byte ahead of attention; "
      "its state is 11 times smaller and "
      "its step 2.0 times faster with the 512 bytes of context that they were judged with.");
  EXPECT_TRUE(says(
      r,
      "Among frozen models it is worth its training: n-gram order 4, the best of the n-grams, costs 2.400 bits per "
      "byte and hybrid 2.000."));
  EXPECT_TRUE(says(r, "difference between seeds"));
}

TEST(Recommend, TheSeedsAreNamedOnlyWhereThereIsOne) {
  Circumstances three = text;
  three.seeds = three.least_seeds = 3;
  const Recommendation r = recommend({contender("a", 2.1, 0.1, 0.01, 1, 1), contender("b", 2.0, 0, 0, 1, 1)}, three);
  EXPECT_FALSE(says(r, "seed"));
  EXPECT_TRUE(says(r, "their steps and states cost the same with the 512 bytes"));
}

TEST(Recommend, WithinTheNoiseTheCheaperOne) {
  const Recommendation r =
      recommend({contender("attention", 2.0, 0, 0, 4e-3, 11e6), contender("mamba2", 2.01, 0.01, 0.006, 1e-3, 1e6),
                 contender("mamba1", 2.2, 0.2, 0.01, 1e-4, 1e5)},
                text);
  EXPECT_EQ(r.winner, "mamba2");  // mamba1 is cheaper still, and too far behind
  EXPECT_EQ(r.decided_by, "cost");
  EXPECT_EQ(r.sentences[0],
            "On book.txt, at equal time (60 s per training), attention and mamba2 cannot be told apart: 0.010 bits per "
            "byte lie between them, and the doubt is 0.012.");
  EXPECT_EQ(
      r.sentences[1],
      "By cost, take mamba2: compared with attention, its state is 11 times smaller and its step 4.0 times faster with "
      "the 512 bytes of context that they were judged with.");
}

// What is recommended for its cost is weighed itself, not the one with the fewest bits.
TEST(Recommend, TheCheaperOneIsWeighedAgainstTheCounts) {
  Circumstances counts = text;
  const auto sentence = [&](double of_counts) {
    counts.frozen = {"n-gram order 4", of_counts};
    return recommend({contender("attention", 2.0, 0, 0, 4e-3, 11e6), contender("mamba2", 2.01, 0.01, 0.006, 1e-3, 1e6)},
                     counts)
        .sentences[2];
  };
  EXPECT_EQ(
      sentence(2.4),
      "Among frozen models it is worth its training: n-gram order 4, the best of the n-grams, costs 2.400 bits per "
      "byte and mamba2 2.010.");
  EXPECT_EQ(
      sentence(2.005),
      "Among frozen models it may be worth its training: n-gram order 4, the best of the n-grams, costs 2.005 bits "
      "per byte and mamba2 2.010; attention, from which it cannot be told apart, costs 2.000.");
}

// A model just above the counts is no worse than one just below them.
TEST(Recommend, InsideTheDoubtItCannotBeToldWhetherAModelIsWorthIt) {
  const auto with = [](double model, double doubt) {
    Contender one = contender("mamba2", model, 0, 0, 1, 1);
    one.own_doubt = doubt;
    return recommend({one, contender("attention", model + 0.2, 0.2, 0.01, 1, 1)}, text);
  };
  for (const double model : {2.3999, 2.4001}) {
    const Recommendation r = with(model, 0.02);
    EXPECT_EQ(r.winner, "mamba2");
    EXPECT_EQ(r.sentences[1],
              "Among frozen models it cannot be told whether it is worth its training: n-gram order 4, the best of the "
              "n-grams, costs 2.400 bits per byte and mamba2 2.400, and the doubt of its training is 0.020.");
  }
  EXPECT_TRUE(says(with(2.379, 0.02), "Among frozen models it is worth its training"));
  EXPECT_EQ(with(2.421, 0.02).decided_by, "baseline");
  EXPECT_EQ(with(2.421, 0.03).decided_by, "quality");
  EXPECT_EQ(with(2.4001, 0).decided_by, "baseline");
}

TEST(Recommend, TheSameAmongLearners) {
  Circumstances with = text;
  with.learning = {"PPMd order 6", 1.9};
  Contender model = contender("mamba2", 2.0, 0, 0, 1, 1);
  model.learning_doubt = 0.02;
  for (const double learning : {1.8999, 1.9001}) {
    model.learning_bits = learning;
    const Recommendation r = recommend({model}, with);
    EXPECT_TRUE(says(r, "cannot be told whether mamba2 is worth its training, and the doubt of that is 0.020."))
        << r.sentences[2];
  }
  model.learning_bits = 1.879;
  EXPECT_FALSE(says(recommend({model}, with), "cannot be told"));
  EXPECT_FALSE(says(recommend({model}, with), "seed alone"));
  model.learning_bits = 1.921;
  EXPECT_TRUE(says(recommend({model}, with), "no model here is worth its training."));
  with.seeds = 2;  // other figures are means over them
  EXPECT_TRUE(says(recommend({model}, with), "while they read (models of the first seed alone), PPMd order 6 costs"));
}

TEST(Recommend, WhoIsUnfinishedIsNotCalledNotWorthIt) {
  Circumstances with = text;
  with.learning = {"PPMd order 6", 1.9};
  Contender open = contender("attention", 2.45, 0.05, 0.01, 1, 1), done = contender("mamba2", 2.5, 0, 0, 1, 1);
  open.unfinished = true;
  open.learning_bits = 2.3;
  done.learning_bits = 2.4;
  Recommendation r = recommend({done, open}, with);
  EXPECT_EQ(r.decided_by, "baseline");
  EXPECT_TRUE(says(r, "no finished model is worth its training")) << r.sentences[0];
  EXPECT_TRUE(says(r, "mamba2 costs 2.400: to compress such data, no finished model here is worth its training."));
  done.unfinished = true;
  r = recommend({done, open}, with);
  EXPECT_TRUE(says(r,
                   "attention, unfinished, costs 2.300: to compress such data, no model here is worth its training so "
                   "far, and all are unfinished."));
}

TEST(Recommend, LengthsThatDifferAreNamed) {
  std::vector<Contender> two = {contender("a", 2.0, 0, 0, 1, 1), contender("b", 2.5, 0.5, 0.01, 2, 2)};
  two[1].context = 2048;
  EXPECT_TRUE(says(recommend(two, text), "with the 512 and 2,048 bytes of context"));
}

TEST(Recommend, ADifferenceInsideTheDoubtIsNoLead) {
  Contender behind = contender("attention", 2.1, 0.1, 0.01, 2, 1);
  EXPECT_EQ(recommend({behind, contender("mamba2", 2.0, 0, 0, 1, 1)}, text).decided_by, "quality");
  behind.doubt = 0.12;
  EXPECT_EQ(recommend({behind, contender("mamba2", 2.0, 0, 0, 1, 1)}, text).decided_by, "cost");
}

TEST(Recommend, AnUnfinishedCandidateIsNotBeaten) {
  Contender plateau = contender("attention", 3.267, 1.299, 0.013, 1, 1);
  plateau.unfinished = true;
  const Recommendation r = recommend({plateau, contender("mamba2", 2.0, 0, 0, 1, 1)}, text);
  EXPECT_EQ(r.winner, "mamba2");
  EXPECT_TRUE(says(r, "attention, at 3.267 bits per byte, is unfinished"));
  EXPECT_FALSE(says(r, "ahead of attention"));
  EXPECT_FALSE(says(r, "1.299"));
  EXPECT_TRUE(says(r, "the others are unfinished, so there is none to compare it with")) << r.sentences[0];
}

TEST(Recommend, WhoIsUnfinishedIsNoWinner) {
  Contender open = contender("attention", 1.9, 0, 0, 1, 1);
  open.unfinished = true;
  EXPECT_EQ(recommend({open, contender("mamba2", 2.0, 0.1, 0.01, 1, 1)}, text).winner, "mamba2");
  Circumstances cut = text;
  cut.complete = false;
  EXPECT_NE(recommend({open}, cut).sentences[0].find("Not all candidates are judged yet: so far attention costs 1.9"),
            std::string::npos)
      << recommend({open}, cut).sentences[0];
  const Recommendation alone = recommend({open}, text);
  EXPECT_FALSE(alone.winner);
  EXPECT_EQ(alone.decided_by, "nothing");
  EXPECT_EQ(alone.sentences[0],
            "On book.txt, at equal time (60 s per training), every training is unfinished, so no candidate is called "
            "the best: so far attention costs 1.900 bits per byte, and n-gram order 4 2.400.");
}

TEST(Recommend, ABlindSearchIsSaid) {
  Contender blind = contender("attention", 2.1, 0.1, 0.01, 1, 1);
  blind.rates_told_apart = false;
  blind.expected_loss = 0.014, blind.loss_95_percent = 0.054;
  const Recommendation r = recommend({blind, contender("mamba2", 2.0, 0, 0, 1, 1)}, text);
  EXPECT_TRUE(says(r,
                   "The search could not tell the learning rates of attention apart, so the rate is the usual one, "
                   "moved by the little that the search says; the best rate is expected to gain about 0.014 bits per "
                   "byte, and in 95 % of cases less than 0.054, which is what the doubt counts."))
      << r.sentences[2];
  Contender other = contender("mamba2", 2.0, 0, 0, 1, 1);
  other.rates_told_apart = false;
  other.expected_loss = 0.003, other.loss_95_percent = 0.012;
  EXPECT_TRUE(says(recommend({blind, other}, text),
                   "expected to gain about 0.014 bits per byte with attention, where it would gain most, and"));
  Circumstances hurried = text;
  hurried.searched = false;
  EXPECT_TRUE(says(recommend({blind, contender("mamba2", 2.0, 0, 0, 1, 1)}, hurried),
                   "too small to search for learning rates, so each candidate has its usual one; the best rate is "
                   "expected to gain about 0.014"));
  EXPECT_FALSE(
      says(recommend({contender("a", 2.1, 0.1, 0.01, 1, 1), contender("b", 2.0, 0, 0, 1, 1)}, text), "learning rates"));
}

TEST(Recommend, ALargerStateIsCalledLarger) {
  const Recommendation r = recommend(
      {contender("mamba2", 2.3, 0.3, 0.01, 1e-3, 1e6), contender("attention", 2.0, 0, 0, 1.5e-3, 30e6)}, text);
  EXPECT_NE(r.sentences[0].find("its state is 30 times larger and its step 1.5 times slower"), std::string::npos)
      << r.sentences[0];
}

TEST(Recommend, NoModelIsWorthItAmongFrozenOnes) {
  const Recommendation r = recommend({contender("a", 2.5, 0, 0, 1, 1), contender("b", 2.6, 0.1, 0.01, 1, 1)}, text);
  EXPECT_FALSE(r.winner);
  EXPECT_EQ(r.decided_by, "baseline");
  EXPECT_NE(r.sentences[0].find("no model is worth its training: among frozen models, n-gram order 4 costs 2.400 bits "
                                "per byte, a, the best model, 2.500"),
            std::string::npos)
      << r.sentences[0];
}

TEST(Recommend, LearnersAreWeighedAgainstLearners) {
  Circumstances with = text;
  with.learning = {"PPMd order 6", 1.9};
  Contender best = contender("mamba2", 2.0, 0, 0, 1, 1);
  best.learning_bits = 1.95;
  Recommendation r = recommend({best, contender("attention", 2.2, 0.2, 0.01, 1, 1)}, with);
  EXPECT_EQ(r.winner, "mamba2");  // a frozen model is not weighed against what learns while it reads
  EXPECT_TRUE(
      says(r, "PPMd order 6 costs 1.900 bits per byte, and mamba2 costs 1.950: to compress such data, no model"))
      << r.sentences[2];
  best.learning_bits = 1.85;
  r = recommend({best, contender("attention", 2.2, 0.2, 0.01, 1, 1)}, with);
  EXPECT_TRUE(says(r, "mamba2 costs 1.850 bits per byte, and PPMd order 6 costs 1.900."));
  // A mixture is told where it is ahead of both of its parts.
  best.learning_bits = 1.95;
  best.mixed_bits = 1.82;
  r = recommend({best, contender("attention", 2.2, 0.2, 0.01, 1, 1)}, with);
  EXPECT_TRUE(says(r, "and mamba2 costs 1.950; mamba2 mixed with counts of contexts costs 1.820."));
  best.mixed_bits = 1.91;
  EXPECT_TRUE(says(recommend({best}, with), "no model here is worth its training"));
  best.learning_bits = 0;  // not measured
  EXPECT_FALSE(says(recommend({best}, with), "PPMd"));
}

TEST(Recommend, WithCandidatesToComeThereIsNoVerdictAgainstModels) {
  Circumstances partial = text;
  partial.complete = false;
  const Recommendation r = recommend({contender("a", 2.5, 0, 0, 1, 1)}, partial);
  EXPECT_FALSE(r.winner);
  EXPECT_EQ(r.decided_by, "nothing");
  EXPECT_NE(r.sentences[0].find("so far a costs 2.500 bits per byte and n-gram order 4 2.400"), std::string::npos)
      << r.sentences[0];
}

TEST(Recommend, OneOrNone) {
  EXPECT_EQ(recommend({}, text).decided_by, "nothing");
  const Recommendation r = recommend({contender("a", 2.0, 0, 0, 0, 0)}, text);
  EXPECT_EQ(r.winner, "a");
  EXPECT_NE(r.sentences[0].find("no other candidate"), std::string::npos);
}

TEST(Recommend, WithinFivePerCentOfTheFastestTheSmallestState) {
  const Recommendation r = recommend({contender("a", 2.0, 0, 0, 1.0, 30), contender("b", 2.0, 0, 0.01, 0.96, 20),
                                      contender("c", 2.0, 0, 0.01, 0.92, 25)},
                                     text);
  EXPECT_EQ(r.winner, "b");
}

TEST(Recommend, StopsBeforeCostsAreKnown) {
  const Recommendation r = recommend({contender("a", 2.0, 0, 0, 0, 0), contender("b", 2.001, 0.001, 0.01, 0, 0)}, text);
  EXPECT_FALSE(r.winner);
  EXPECT_NE(r.sentences[1].find("not measured yet"), std::string::npos) << r.sentences[1];
}

}  // namespace
}  // namespace statera
