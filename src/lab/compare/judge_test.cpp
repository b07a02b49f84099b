// What is a lead and what is doubt, on costs made up for the purpose.
#include "lab/compare/judge.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace statera {
namespace {

// `bits` a byte, scattered over blocks by `scatter`.
std::vector<float> costs(double bits, double scatter = 0, size_t blocks = 64) {
  std::vector<float> nats;
  for (size_t b = 0; b < blocks; ++b)
    for (int64_t i = 0; i < block_bytes; ++i)
      nats.push_back(static_cast<float>((bits + (b % 2 ? scatter : -scatter)) * std::numbers::ln2));
  return nats;
}

constexpr double deviation = 0.01;
Judged judged(std::vector<std::vector<float>> nats, double seed_deviation = deviation) {
  return {.name = "a", .nats = std::move(nats), .seed_deviation = seed_deviation};
}

TEST(Lead, OneSeedHasTheUsualLuckOfBoth) {
  const Lead l = lead(judged({costs(2.1)}, 0.03), judged({costs(2.0)}, 0.04));
  EXPECT_NEAR(l.behind, 0.1, 1e-4);
  EXPECT_NEAR(l.text_error, 0, 1e-6);
  EXPECT_NEAR(l.seed_error, 0.05, 1e-6);
  EXPECT_NEAR(l.doubt, 2.447 * l.seed_error, 1e-4);  // Student's t for 6 degrees of freedom
}

TEST(Lead, MoreSeedsThatAgreeLeaveLessDoubt) {
  const Judged one = judged({costs(2.1), costs(2.11), costs(2.09)}),
               best = judged({costs(2.0), costs(2.01), costs(1.99)});
  const Lead three = lead(one, best), single = lead(judged({one.nats[0]}), best);
  EXPECT_LT(three.doubt, 0.6 * single.doubt);
  EXPECT_NEAR(three.behind, 0.1, 1e-4);
  EXPECT_NEAR(mean_bits(one), 2.1, 1e-4);
}

TEST(Lead, SeedsThatDisagreeLeaveMore) {
  const Judged best = judged({costs(2.0), costs(2.0)});
  const Lead calm = lead(judged({costs(2.1), costs(2.1)}), best), wild = lead(judged({costs(2.0), costs(2.2)}), best);
  EXPECT_GT(wild.doubt, 4 * calm.doubt);
}

TEST(Lead, TextAndRatesCount) {
  const Judged best = judged({costs(2.0)});
  const Lead plain = lead(judged({costs(2.1)}), best);
  EXPECT_GT(lead(judged({costs(2.1, 0.5)}), best).text_error, 0.05);
  Judged uncertain = judged({costs(2.1)});
  uncertain.rate_loss_95_percent = 0.05;
  EXPECT_GT(lead(uncertain, best).doubt, 0.05);
  EXPECT_LT(plain.doubt, 0.05);
}

TEST(Lead, SeedsThatOnlyOneHasDoNotCount) {
  const Lead l = lead(judged({costs(2.1)}), judged({costs(2.0), costs(1.0)}));
  EXPECT_NEAR(l.behind, 0.1, 1e-4);
}

// Of a model beside counts: no other training is in it, so it is less than the doubt of a difference of two like it.
TEST(Judge, TheDoubtOfOneComesFromItsSeedsAndItsRate) {
  Judged one{.name = "a", .nats = {costs(2.0)}, .seed_deviation = 0.01, .rate_loss_95_percent = 0};
  EXPECT_NEAR(own_doubt(one), 2.447 * 0.01, 1e-4);  // Student's t with the six degrees of freedom of what is usual
  one.rate_loss_95_percent = 0.03;
  EXPECT_NEAR(own_doubt(one), std::hypot(2.447 * 0.01, 0.03), 1e-4);
  one.rate_loss_95_percent = 0;
  one.nats.push_back(costs(2.1));
  const double measured = (6 * 1e-4 + 2 * 0.05 * 0.05) / 7;
  EXPECT_NEAR(own_doubt(one), 2.365 * std::sqrt(measured / 2), 1e-4);
  EXPECT_NEAR(own_doubt(one, 1), 2.447 * 0.01, 1e-4);  // what is measured with the first one alone
  EXPECT_LT(own_doubt(Judged{.name = "b", .nats = {costs(2)}, .seed_deviation = 0.01, .rate_loss_95_percent = 0}),
            lead({.name = "b", .nats = {costs(2)}, .seed_deviation = 0.01, .rate_loss_95_percent = 0},
                 {.name = "c", .nats = {costs(2)}, .seed_deviation = 0.01, .rate_loss_95_percent = 0})
                .doubt);
}

}  // namespace
}  // namespace statera
