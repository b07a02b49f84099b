// The budget that a refusal names is accepted when it is tried, on a machine that is somewhat slower by then.
#include "lab/compare/enough.hpp"

#include <gtest/gtest.h>

#include "statera/error.hpp"

namespace statera {
namespace {

Parts parts() {
  const std::string document(1'000'000, 'x');
  return cut(ByteSource::from_memory(std::span(&document, 1)), {});
}

std::vector<Candidate> candidates() {
  const std::vector<std::string> kinds = preset_kinds("tiny");
  return find_candidates({kinds[0], kinds[1]}, "tiny");
}

std::vector<Calibration> costs(double times = 1) {
  return {{.parameters = 300'000,
           .positions = 2048,
           .step_seconds = 0.02 * times,
           .step_flops = 3e9,
           .evaluate_seconds = 0.008 * times,
           .prefill_seconds = 3e-5 * times},
          {.parameters = 304'000,
           .positions = 2048,
           .step_seconds = 0.1 * times,
           .step_flops = 2e9,
           .evaluate_seconds = 0.04 * times,
           .prefill_seconds = 2e-5 * times}};
}

// The word after "--budget ", in seconds.
double suggested(const std::string& message) {
  const size_t at = message.find("--budget ");
  if (at == message.npos) {
    ADD_FAILURE() << message;
    return 1;
  }
  double total = 0, number = 0;
  for (const char c : message.substr(at + 9)) {
    if (c >= '0' && c <= '9') {
      number = 10 * number + (c - '0');
      continue;
    }
    if (c != 'h' && c != 'm' && c != 's') break;
    total += number * (c == 'h' ? 3600 : c == 'm' ? 60 : 1);
    number = 0;
  }
  return total;
}

std::string refusal(const CompareSettings& settings, const SpentBefore& spent = {}) {
  try {
    share_out_or_say(settings, candidates(), costs(), parts(), spent);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    return error.what();
  }
  ADD_FAILURE() << "a budget of " << settings.budget << " was accepted";
  return "";
}

TEST(Enough, TheBudgetThatIsNamedIsAccepted) {
  for (const char* match : {"time", "flops", "params"})
    for (const int64_t seeds : {1, 3, 20})
      for (const double spent : {0.0, 2.0, 70.0}) {
        CompareSettings settings{.match = match, .budget = 3, .seeds = seeds};
        const std::string message = refusal(settings, {.seconds = spent});
        settings.budget = suggested(message);
        for (const double times : {0.7, 1.0, 1.2, 1.4, 1.5})
          EXPECT_NO_THROW(share_out(settings, candidates(), costs(times), parts(), spent * times))
              << message << " on a machine that takes " << times << " as long";
      }
}

TEST(Enough, ReadingThatWasCutTakesItsShareOfALargerBudgetToo) {
  CompareSettings settings{.budget = 4};
  const std::string message = refusal(settings, {.seconds = 2, .grows = true});
  settings.budget = suggested(message);
  EXPECT_NO_THROW(share_out(settings, candidates(), costs(), parts(), settings.budget / 2)) << message;
}

TEST(Enough, FlagsThatKeepTheSettingsAreNamedWithIt) {
  const std::string message = refusal({.budget = 3}, {.kept_flags = [](double budget) {
                                        return " --length " + std::to_string(static_cast<int64_t>(budget));
                                      }});
  const auto budget = static_cast<int64_t>(suggested(message));
  EXPECT_NE(message.find(budget_text(budget) + " --length " + std::to_string(budget)), std::string::npos) << message;
}

TEST(Enough, WhereNoBudgetHelpsNoneIsNamed) {
  std::vector<Calibration> unequal = costs();
  unequal[1].parameters = 12'000'000;
  try {
    share_out_or_say({.match = "params", .budget = 600}, candidates(), unequal, parts(), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("--match params"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("--budget"), std::string::npos) << error.what();
  }
}

TEST(Enough, BudgetsAreOnesThatPeopleName) {
  for (const auto& [above, text] : {std::pair(0.0, "10s"), std::pair(31.5, "40s"), std::pair(59.0, "1m"),
                                    std::pair(60.0, "90s"), std::pair(90.0, "2m"), std::pair(130.0, "3m"),
                                    std::pair(1300.0, "25m"), std::pair(3600.0, "1h10m"), std::pair(90000.0, "30h")})
    EXPECT_EQ(budget_text(next_budget(above)), text) << above;
}

}  // namespace
}  // namespace statera
