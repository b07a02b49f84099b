// From calibrated costs to fixed numbers of steps: what is matched is equal, the budget is kept, and one that is too
// small says what would do.
#include "lab/compare/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "io/json.hpp"
#include "lab/baselines.hpp"
#include "lab/compare/inner_ratio.hpp"
#include "models/language_model.hpp"
#include "statera/error.hpp"
#include "support/any_mixer.hpp"
#include "support/inner_model.hpp"
#include "train/held_out.hpp"

namespace statera {
namespace {

ByteSource source(size_t bytes) {
  const std::string document(bytes, 'x');
  return ByteSource::from_memory(std::span(&document, 1));
}

std::vector<std::string> kinds() { return preset_kinds("tiny"); }
std::vector<Candidate> candidates() {
  return find_candidates({kinds()[0], kinds()[1], "base-" + kinds().back()}, "tiny");
}

std::vector<Calibration> costs() {
  return {{.parameters = 300'000,
           .positions = 2048,
           .step_seconds = 0.02,
           .step_flops = 3e9,
           .evaluate_seconds = 0.008,
           .prefill_seconds = 3e-5},
          {.parameters = 304'000,
           .positions = 2048,
           .step_seconds = 0.01,
           .step_flops = 2e9,
           .evaluate_seconds = 0.004,
           .prefill_seconds = 2e-5},
          {.parameters = 302'000,
           .positions = 2048,
           .step_seconds = 0.04,
           .step_flops = 4e9,
           .evaluate_seconds = 0.02,
           .prefill_seconds = 5e-5}};
}

// The word before " would do".
std::string what_would_do(const std::string& message) {
  const size_t end = message.find(" would do");
  EXPECT_NE(end, std::string::npos) << message;
  return end == std::string::npos
             ? "1"
             : message.substr(message.rfind(' ', end - 1) + 1, end - message.rfind(' ', end - 1) - 1);
}

// A learned router has its own parameters and FLOPs, though it is timed by another one.
TEST(Calibrate, ALearnedRouterIsCountedAsItIs) {
  STATERA_NEEDS({"hnet"});
  Candidate learned{.name = "h",
                    .config = ModelConfig::parse(
                        test::with("f [ f ] f", R"([{"type": "hnet", "ratio": 4, "stack": {"d_model": 16}}])"), "h"),
                    .length = 32,
                    .batch = 2};
  CompareSettings settings;
  settings.lengths = "32";
  settings.batch = 2;
  const Calibration c =
      calibrate({learned}, settings, cut(source(100'000), settings), Device::cpu({.threads = 1}), 0.01, {}).at(0);
  const Model model(learned.config, Device::cpu({.threads = 1}));
  EXPECT_EQ(c.parameters, model.parameter_count());
  EXPECT_GT(c.parameters, Model(at_targets(learned.config), Device::cpu({.threads = 1})).parameter_count());
  EXPECT_EQ(c.embedding, 257 * 8);
  EXPECT_DOUBLE_EQ(c.step_flops, 64 * modules_of(model).cost(32, 32).training_flops);
  EXPECT_TRUE(c.at_targets);
  EXPECT_GT(c.step_seconds, 0);
}

TEST(Cut, PartsShareNothingAndCoverAll) {
  const ByteSource all = source(1'000'003);
  const Parts parts = cut(all, {});
  EXPECT_EQ(parts.held_out.bytes(), 100'001);
  EXPECT_EQ(parts.train.bytes() + parts.validation.bytes() + parts.held_out.bytes(), all.bytes());
  EXPECT_LE(parts.validation.bytes(), 64 << 10);
  const uint8_t* begin = all.document(0).data();
  std::vector<int> used(static_cast<size_t>(all.bytes()));
  for (const ByteSource* part : {&parts.train, &parts.validation, &parts.held_out})
    for (int64_t i = 0; i < part->documents(); ++i)
      for (const uint8_t& byte : part->document(i)) ++used[static_cast<size_t>(&byte - begin)];
  EXPECT_EQ(std::ranges::count(used, 1), all.bytes());
  // pieces all over what precedes the held-out bytes, and text to train on between the last one and these
  EXPECT_EQ(parts.validation.documents(), 4);
  EXPECT_LT(parts.validation.document(0).data() - begin, 150'000);
  EXPECT_GT(parts.validation.document(3).data() - begin, 750'000);
  EXPECT_GT(parts.held_out.document(0).data() - parts.train.document(4).data(), 100'000);
  EXPECT_EQ(cut(all, {.held_out_bytes = 177'000}).held_out.bytes(), 177'000);
}

TEST(Cut, TooShortSaysWhatWouldDo) {
  try {
    cut(source(5000), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NO_THROW(cut(source(std::stoul(what_would_do(error.what()))), {})) << error.what();
  }
}

TEST(Plan, EachMatchHoldsItsUnitEqual) {
  const Parts parts = cut(source(1'000'000), {});
  for (const char* match : {"time", "flops", "params"}) {
    CompareSettings settings{.match = match, .budget = 600};
    const Amounts amounts = share_out(settings, candidates(), costs(), parts);
    double total = 0;
    for (const Calibration& c : costs()) {
      const auto steps = static_cast<double>(steps_for(settings, c, amounts.train));
      EXPECT_NEAR(steps * unit(settings, c), amounts.train, unit(settings, c)) << match;
      total += expected_seconds(settings, c, amounts) +
               steps * c.step_seconds * static_cast<double>(amounts.second_seeds) / 3;
    }
    EXPECT_LT(total, 600) << match;
    EXPECT_GT(total, 0.8 * 600) << match;
  }
}

TEST(Plan, MoreSeedsAreInTheSameBudget) {
  const Parts parts = cut(source(1'000'000), {});
  CompareSettings settings{.budget = 900, .seeds = 3};
  const Amounts amounts = share_out(settings, candidates(), costs(), parts);
  double total = 0;
  for (const Calibration& c : costs()) total += expected_seconds(settings, c, amounts);
  EXPECT_LT(total, 900);
}

TEST(Plan, TooSmallABudgetNamesOneThatDoes) {
  const Parts parts = cut(source(1'000'000), {});
  CompareSettings settings{.budget = 5};
  try {
    share_out(settings, candidates(), costs(), parts);
    FAIL();
  } catch (const Error& error) {
    const std::string budget = what_would_do(error.what());
    settings.budget = std::stod(budget) * (budget.back() == 'm' ? 60 : 1);
    EXPECT_NO_THROW(share_out(settings, candidates(), costs(), parts)) << error.what();
  }
}

TEST(Plan, WhatIsSpentIsNotShared) {
  const Parts parts = cut(source(1'000'000), {});
  const Amounts late = share_out({.budget = 900}, candidates(), costs(), parts, 300),
                small = share_out({.budget = 600}, candidates(), costs(), parts);
  EXPECT_DOUBLE_EQ(late.train, small.train);
  EXPECT_EQ(late.judged_bytes, small.judged_bytes);
  try {
    share_out({.budget = 60}, candidates(), costs(), parts, 70);
    FAIL();
  } catch (const Error& error) {
    const std::string budget = what_would_do(error.what());
    EXPECT_NO_THROW(
        share_out({.budget = std::stod(budget) * (budget.back() == 'm' ? 60 : 1)}, candidates(), costs(), parts, 70))
        << error.what();
  }
}

TEST(Plan, OneRateIsNotSearchedFor) {
  const Parts parts = cut(source(1'000'000), {});
  const CompareSettings one{.budget = 600, .seeds = 2, .learning_rates = 1, .search_share = 0},
      three{.budget = 600, .seeds = 2};
  EXPECT_EQ(share_out(one, candidates(), costs(), parts).search, 0);
  EXPECT_GT(share_out(one, candidates(), costs(), parts).train, share_out(three, candidates(), costs(), parts).train);
  EXPECT_THROW((CompareSettings{.search_share = 0}.check()), Error);
}

TEST(Plan, MatchedParametersMustBeEqual) {
  const Parts parts = cut(source(1'000'000), {});
  std::vector<Calibration> unequal = costs();
  unequal[2].parameters = 12'000'000;
  EXPECT_THROW(share_out({.match = "params", .budget = 600}, candidates(), unequal, parts), Error);
  EXPECT_NO_THROW(share_out({.match = "flops", .budget = 600}, candidates(), unequal, parts));
}

TEST(Settings, ImpossibleOnesAreNamed) {
  const auto what = [](const CompareSettings& settings) -> std::string {
    try {
      settings.check();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(what({}), "");
  EXPECT_NE(what({.match = "luck"}).find("match 'luck'"), std::string::npos);
  EXPECT_NE(what({.seeds = 0}).find("seeds is 0"), std::string::npos);
  EXPECT_NE(what({.seeds = int64_t{1} << 60}).find("at most 1000"), std::string::npos);
  EXPECT_NE(what({.lengths = "1152921504606846976"}).find("length is"), std::string::npos);
  for (const char* wrong : {"", "512,", "512 2048", "many", "512;2048", "-5x"})
    EXPECT_NE(what({.lengths = wrong}).find("expected whole numbers with commas"), std::string::npos) << wrong;
  EXPECT_NE(what({.match = "params", .lengths = "512,2048"}).find("take --match time or flops"), std::string::npos);
  EXPECT_NE(what({.weight_decay = -0.1f}).find("weight_decay is -0.1"), std::string::npos);
  EXPECT_NE(what({.weight_decay = INFINITY}).find("weight_decay is inf"), std::string::npos);
  EXPECT_NE(what({.dropout = 1}).find("dropout is 1"), std::string::npos);
  EXPECT_NE(what({.search_share = 0.9}).find("less than a fifth"), std::string::npos);
  EXPECT_NE(what({.noise_share = NAN}).find("noise_share"), std::string::npos);
}

TEST(Lengths, EveryCandidateAtEachWithAsManyBytesInABatch) {
  const CompareSettings settings{.batch = 8, .lengths = "2048,512,8192,512"};
  EXPECT_EQ(settings.length_list(), (std::vector<int64_t>{512, 2048, 8192}));
  const std::vector<Candidate> all = at_lengths(candidates(), settings);
  ASSERT_EQ(all.size(), 9u);
  EXPECT_EQ(all[1].name, kinds()[0] + "@2048");
  EXPECT_EQ(all[1].batch, 2);
  EXPECT_EQ(all[2].batch, 1);  // whole sequences: more bytes than at the others
  EXPECT_EQ(at_lengths(candidates(), {.lengths = "1024"})[0].name, kinds()[0]);
}

TEST(Plan, SecondSeedsAreInTheBudget) {
  const Parts parts = cut(source(1'000'000), {});
  const CompareSettings settings{.budget = 1200}, three{.budget = 1200, .seeds = 3};
  const Amounts amounts = share_out(settings, candidates(), costs(), parts);
  EXPECT_EQ(amounts.second_seeds, 2);
  EXPECT_EQ(share_out({.budget = 200}, candidates(), costs(), parts).second_seeds, 0);  // more steps say more
  EXPECT_EQ(share_out(three, candidates(), costs(), parts).second_seeds, 0);
  // They come as soon as all trainings, theirs too, have 800 steps.
  int64_t without = 0, with = 1'000'000;  // the steps of the shortest training, at most and at least
  for (int budget = 100; budget <= 1200; budget += 10) {
    const Amounts at = share_out({.budget = static_cast<double>(budget)}, candidates(), costs(), parts);
    int64_t fewest = 1'000'000;
    for (const Calibration& c : costs()) fewest = std::min(fewest, steps_for(settings, c, at.train));
    if (at.second_seeds == 0)
      without = std::max(without, fewest);
    else
      with = std::min(with, fewest);
  }
  EXPECT_GE(with, 800);
  EXPECT_LT(with, 850);
  EXPECT_LT(without, 800 * 5 / 3 + 10);  // a second seed of two of three candidates makes five trainings of three
  EXPECT_GT(without, 800 * 5 / 3 - 90);
  double total = 2 * amounts.train;
  for (const Calibration& c : costs()) total += expected_seconds(settings, c, amounts);
  EXPECT_LT(total, 1200);
  EXPECT_GT(total, 0.8 * 1200);
}

TEST(Plan, TrialsThatWouldEndOnThePlateauAreNotMade) {
  const Parts parts = cut(source(1'000'000), {});
  const Amounts small = share_out({.budget = 60}, candidates(), costs(), parts),
                large = share_out({.budget = 600}, candidates(), costs(), parts);
  EXPECT_EQ(small.search, 0);
  for (const Calibration& c : costs()) EXPECT_GE(large.search / c.step_seconds, 100);
}

TEST(Candidates, KindsPresetsAndFiles) {
  const std::vector<Candidate> found = candidates();
  const std::string one = kinds()[0], of_base = "base-" + kinds().back();
  EXPECT_EQ(found[0].name, one);
  EXPECT_EQ(found[2].name, of_base);
  EXPECT_EQ(found[2].config.d_model, ModelConfig::load(of_base).d_model);
  const auto what = [](std::vector<std::string> specs, const char* size) -> std::string {
    try {
      find_candidates(specs, size);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string unknown = what({"mamba7"}, "tiny");
  EXPECT_NE(what({one + "x"}, "tiny").find("did you mean '" + one + "'? Known: "), std::string::npos);
  for (const std::string& kind : kinds()) EXPECT_NE(unknown.find(kind), std::string::npos) << unknown;
  EXPECT_NE(what({one, one}, "tiny").find("two candidates are called '" + one + "'"), std::string::npos);
  EXPECT_NE(what({one}, "huge").find("known: "), std::string::npos);
}

// What is taken where nobody names a kind is there in every size.
TEST(Candidates, TheUsualKindsArePresets) {
  for (const std::string& size : preset_sizes()) {
    EXPECT_EQ(find_candidates(usual_kinds(), size).size(), usual_kinds().size()) << size;
    const std::vector<std::string> of_one_mixer = presets_of_one_mixer({size});
    EXPECT_FALSE(of_one_mixer.empty()) << size;
    for (const std::string& name : of_one_mixer)
      for (const auto& [letter, block] : ModelConfig::load(name).mixers)
        EXPECT_NE(block.find("\"type\":\"" + name.substr(size.size() + 1) + "\""), std::string::npos) << block;
  }
}

// The mixer is the difference between presets of one size: depth and width are equal. One with two types of mixers has
// the rarer one in every fourth layer, neither first nor last.
TEST(Candidates, PresetsOfOneSizeDifferInTheirMixersAlone) {
  int mixed = 0;
  for (const std::string& size : preset_sizes()) {
    std::vector<std::string> names = presets_of_one_mixer({size});
    for (const std::string& kind : usual_kinds()) names.push_back(size + "-" + kind);
    const ModelConfig first = ModelConfig::load(names.front());
    for (const std::string& name : names) {
      const ModelConfig config = ModelConfig::load(name);
      EXPECT_EQ(config.d_model, first.d_model) << name;
      std::map<std::string, std::vector<size_t>> layers;  // by type
      const auto all = config.layer_mixers();
      ASSERT_EQ(all.size(), first.layer_mixers().size()) << name;
      for (size_t i = 0; i < all.size(); ++i)
        layers[parse_json(all[i].front(), name).at("type").get<std::string>()].push_back(i);
      if (layers.size() == 1) continue;
      ASSERT_EQ(layers.size(), 2u) << name;
      ++mixed;
      const auto rarer =
          std::ranges::min_element(layers, {}, [](const auto& one) { return one.second.size(); })->second;
      EXPECT_EQ(4 * rarer.size(), all.size()) << name;
      EXPECT_GT(rarer.front(), 0u) << name;
      EXPECT_LT(rarer.back(), all.size() - 1) << name;
    }
  }
  const bool hybrids = std::ranges::any_of(usual_kinds(), [](const std::string& kind) {
    return ModelConfig::load(preset_sizes().front() + "-" + kind).mixers.size() > 1;
  });
  EXPECT_EQ(mixed, hybrids ? std::ssize(preset_sizes()) : 0);
}

// A model over tokens is evaluated on the bytes that one over bytes is: those whose batches are spread over the text.
TEST(Plan, TokensAreEvaluatedOnTheBytesThatBytesAre) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>('a' + i * i % 26);
  const ByteSource validation = ByteSource::from_memory(std::vector{text});
  const Candidate candidate{.name = "m", .config = {}, .length = 64, .batch = 2};
  for (const int64_t bytes : {1, 500, 2000, 1000000}) {
    const ByteSource pieces = evaluated(validation, candidate, bytes);
    BatchStream windows(validation, {.batch = 2, .length = 64, .order = Order::sweep});
    TrainingData data{.held_out = [&](int64_t i) { return windows.next(i); }, .held_out_batches = windows.steps()};
    const TrainOptions options{.batch = 2, .length = 64};
    const int64_t count = held_out_batches(data, options, bytes);
    std::string expected, got;
    for (int64_t i = 0; i < count; ++i) {
      const Batch batch = windows.next((2 * i + 1) * windows.steps() / (2 * count));  // as measure_held_out() does
      for (const int32_t target : batch.targets) expected += static_cast<char>(target);
    }
    for (int64_t d = 0; d < pieces.documents(); ++d) got.append(pieces.document(d).begin(), pieces.document(d).end());
    EXPECT_EQ(got, expected) << bytes;
  }
}

// The verdict compares models with baselines, so both are judged on the same text, however little time there is.
TEST(Plan, ModelsAreJudgedOnNoMoreThanBaselinesAre) {
  const Parts parts = cut(source(3'000'000), {});
  Calibration fast = costs().front();  // alone, it could read more than the counts in their share of the time
  fast.step_seconds = fast.evaluate_seconds = 1e-4, fast.prefill_seconds = 1e-8;
  const double budget = 20;
  const Amounts a = share_out({.budget = budget}, {candidates().front()}, {fast}, parts);
  const auto baselines_read = [&](int64_t held_out) {
    return baseline_bytes(parts.train.bytes() + parts.validation.bytes(), held_out, baseline_share * budget).held_out;
  };
  EXPECT_EQ(baselines_read(a.judged_bytes), a.judged_bytes);
  EXPECT_LT(a.judged_bytes, parts.held_out.bytes());
}

}  // namespace
}  // namespace statera
