// The choice of a learning rate: bowls whose lowest points lie anywhere, plateaus that say nothing, rates that diverge.
#include "lab/compare/rates.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "lab/compare/rate_priors.hpp"
#include "statera/error.hpp"
#include "support/any_mixer.hpp"

namespace statera {
namespace {

constexpr double plateau = 3.5;
constexpr RatePrior prior{.lr = 3e-3, .octaves = 1, .drift = 0};

std::vector<TriedRate> tried(const std::function<double(double)>& bits, int trials, const RatePrior& from = prior) {
  std::vector<TriedRate> all;
  for (int i = 0; i < trials; ++i) {
    const double lr = next_rate(all, from);
    all.push_back({lr, bits(lr)});
    std::ranges::sort(all, {}, &TriedRate::lr);
  }
  return all;
}
RateChoice chosen(const std::function<double(double)>& bits, int trials) {
  return choose_rate(tried(bits, trials), prior, plateau);
}

std::function<double(double)> bowl(double best_in_short, double curvature = 0.05) {
  return [=](double lr) { return 2.2 + curvature * std::pow(std::log2(lr / best_in_short), 2); };
}

TEST(Rates, WithoutTrialsThePriorDecides) {
  const RateChoice choice = choose_rate({}, prior, plateau);
  EXPECT_DOUBLE_EQ(choice.lr, 3e-3);
  EXPECT_GT(choice.expected_loss, 0.005);
  EXPECT_FALSE(choice.told_apart);
}

TEST(Rates, ClearTrialsMoveTheChoiceToTheBestOfAWholeTraining) {
  for (const double octaves : {-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5}) {
    const RateChoice choice = chosen(bowl(3e-3 * std::exp2(octaves)), 4);
    EXPECT_NEAR(std::log2(choice.lr / 3e-3), octaves, 0.5) << octaves;
    EXPECT_TRUE(choice.told_apart);
    EXPECT_LT(choice.expected_loss, 0.01);
  }
}

TEST(Rates, OnAPlateauTheOrderOfTheTrialsSaysNothing) {
  // as at a length of 512 after 148 steps of attention: the highest rate is about to leave it
  const RateChoice choice = chosen([](double lr) { return 3.87 - 0.03 * std::log2(lr / 3e-3); }, 4);
  EXPECT_DOUBLE_EQ(choice.lr, 3e-3);
  EXPECT_FALSE(choice.told_apart);
  EXPECT_GT(choice.expected_loss, 0.005);
}

TEST(Rates, CloseToThePlateauTheySayLittle) {
  const auto at = [](double level) {
    return chosen([=](double lr) { return level - 0.05 * std::log2(lr / 3e-3); }, 3).lr;
  };
  EXPECT_GT(at(2.2), 1.3 * at(3.4));
}

TEST(Rates, TrialsWithinTheirNoiseLeaveThePrior) {
  const RateChoice choice = chosen([](double lr) { return 2.2 + 1e-3 * std::sin(1e4 * lr); }, 4);
  EXPECT_NEAR(std::log2(choice.lr / 3e-3), 0, 0.3);
  EXPECT_FALSE(choice.told_apart);
}

TEST(Rates, TrialsMoveTheChoiceByTheShareThatTheirDriftLeaves) {
  const auto at = [](double drift) {
    const RatePrior drifting{.lr = 2e-3, .octaves = 0.5, .drift = drift};
    return choose_rate(tried(bowl(4e-3, 0.08), 5, drifting), drifting, plateau);
  };
  EXPECT_NEAR(std::log2(at(0.5).lr / 2e-3), 0.5, 0.1);   // as uncertain as the prior: halfway
  EXPECT_NEAR(std::log2(at(1.0).lr / 2e-3), 0.2, 0.1);   // 0.25 / (0.25 + 1)
  EXPECT_NEAR(std::log2(at(1e-3).lr / 2e-3), 1.0, 0.1);  // a trial of the whole training itself
  EXPECT_GT(at(0.5).expected_loss, 0.0025);  // the usual curvature, 0.02, times the variance that is left, 0.125
  EXPECT_LT(at(0.5).expected_loss, choose_rate({}, {.lr = 2e-3, .octaves = 0.5, .drift = 0.5}, plateau).expected_loss);
  EXPECT_LT(at(1e-3).expected_loss, 0.001);
}

TEST(Rates, SteepTrialsPushNoFurtherThanTheirLowestPoint) {
  for (const double curvature : {0.08, 0.25, 0.5}) {
    const RateChoice choice = chosen(bowl(3e-3 * std::exp2(-0.4), curvature), 3);
    EXPECT_NEAR(std::log2(choice.lr / 3e-3), -0.4, 0.15) << curvature;
  }
}

TEST(Rates, ARateThatDivergedIsAboveTheBest) {
  const RateChoice choice =
      chosen([](double lr) { return lr > 2e-3 ? std::numeric_limits<double>::infinity() : 2.2; }, 4);
  EXPECT_LT(choice.lr, 2e-3);
  EXPECT_TRUE(std::isnan(chosen([](double) { return std::numeric_limits<double>::infinity(); }, 3).lr));
}

TEST(Rates, TriesThePriorItsNeighboursAndBeyond) {
  const std::vector<TriedRate> three = tried(bowl(3e-3), 3);
  ASSERT_EQ(three.size(), 3u);
  EXPECT_DOUBLE_EQ(three[0].lr, 1.5e-3);
  EXPECT_DOUBLE_EQ(three[1].lr, 3e-3);
  EXPECT_DOUBLE_EQ(three[2].lr, 6e-3);
  EXPECT_DOUBLE_EQ(tried(bowl(1), 4).back().lr, 1.2e-2);
  EXPECT_DOUBLE_EQ(tried(bowl(1e-9), 4).front().lr, 7.5e-4);
  EXPECT_DOUBLE_EQ(next_rate(std::vector<TriedRate>{{1.5e-3, 2.3}, {3e-3, 2.2}, {6e-3, 2.25}}, prior), 4.2e-3);
}

TEST(Rates, AnotherRateThanTheChosenLosesMore) {
  const RateChoice choice{.lr = 0.004, .expected_loss = 0.005};
  EXPECT_NEAR(with_rate(choice, 0.004).expected_loss, 0.005, 1e-12);
  EXPECT_NEAR(with_rate(choice, 0.008).expected_loss, 0.025, 1e-12);
  EXPECT_NEAR(with_rate(choice, 0.002).expected_loss, 0.025, 1e-12);
  // the deviation is half an octave, and the usual curvature 0.02
  EXPECT_NEAR(with_rate(choice, 0.004).loss_95_percent, 0.02 * std::pow(1.96 * 0.5, 2), 1e-5);
  EXPECT_NEAR(with_rate(choice, 0.064).loss_95_percent, 0.02 * std::pow(4 + 1.645 * 0.5, 2), 1e-4);  // one side counts
  EXPECT_NEAR(with_rate(choice, 0.008).loss_95_percent, with_rate(choice, 0.002).loss_95_percent, 1e-12);
}

TEST(RatePriors, FollowTheMixersTheWidthAndTheSteps) {
  const std::string kind = test::any_preset(test::Keeps::fixed, "base").substr(std::string("base-").size());
  const ModelConfig narrow = ModelConfig::load("tiny-" + kind), wide = ModelConfig::load("base-" + kind);
  const RatePrior usual = rate_prior(narrow, 2000, 200, 1024);
  EXPECT_GT(usual.lr, 1e-3);
  EXPECT_LT(usual.lr, 2e-2);
  EXPECT_LT(rate_prior(wide, 2000, 200, 1024).lr, usual.lr);
  EXPECT_DOUBLE_EQ(rate_prior(narrow, 2000, 2000, 1024).drift, 0);  // the trial is the training
  EXPECT_GT(rate_prior(narrow, 2000, 100, 1024).drift, rate_prior(narrow, 2000, 200, 1024).drift);
  const ModelConfig growing = ModelConfig::load(test::any_preset(test::Keeps::growing));
  ModelConfig mixed = narrow;
  mixed.mixers = {{"m", narrow.mixers.begin()->second}, {"A", growing.mixers.begin()->second}};
  mixed.layers = "m A";
  EXPECT_NEAR(rate_prior(mixed, 2000, 200, 1024).lr, std::sqrt(rate_prior(growing, 2000, 200, 1024).lr * usual.lr),
              1e-4);
}

TEST(RatePriors, SeedsDifferAsThoseOfItsLayersAndLessWithMoreSteps) {
  const std::string kind = test::any_preset(test::Keeps::fixed);
  const ModelConfig fixed = ModelConfig::load(kind),
                    growing = ModelConfig::load(test::any_preset(test::Keeps::growing));
  ModelConfig mixed = fixed;
  mixed.mixers = {{"m", fixed.mixers.begin()->second}, {"A", growing.mixers.begin()->second}};
  mixed.layers = "m A";
  const double one = usual_seed_deviation(fixed, 2000), other = usual_seed_deviation(growing, 2000);
  EXPECT_NE(one, other);
  EXPECT_DOUBLE_EQ(usual_seed_deviation(mixed, 2000), std::sqrt((one * one + other * other) / 2));
  EXPECT_DOUBLE_EQ(usual_seed_deviation(fixed, 8000), usual_seed_deviation(fixed, 2000) / 2);
  EXPECT_GT(usual_seed_deviation(fixed, 0), 0);
}

TEST(RatePriors, EveryRowSaysHowItWasMade) {
  ASSERT_FALSE(embedded_rates().empty());
  for (const MixerRates& row : embedded_rates())
    EXPECT_NE(row.json.find("\"command\""), std::string_view::npos) << row.mixer;
}

}  // namespace
}  // namespace statera
