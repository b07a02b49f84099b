// From a store to a report, without training: who is called the best at a length, and who is not.
#include "lab/compare/findings.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "lab/compare/known.hpp"
#include "models/language_model.hpp"
#include "report/report_fixture.hpp"
#include "statera/device.hpp"
#include "support/any_mixer.hpp"
#include "support/inner_model.hpp"

namespace statera {
namespace {
using Json = nlohmann::ordered_json;

class Findings : public ::testing::Test {
 protected:
  Findings() {
    std::string name = (std::filesystem::temp_directory_path() / "statera_findings_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    store_.emplace(folder_ + "/compare.sqlite");
    Json rows = Json::array();
    for (int order = 0; order < 3; ++order)
      rows.push_back({{"name", "n-gram order " + std::to_string(order)}, {"bits_per_byte", 4.8 - order}});
    store_->keep_fact("baselines", Json({{"rows", rows}, {"note", ""}}).dump());
  }
  ~Findings() override { std::filesystem::remove_all(folder_); }

  // A candidate whose curve on validation text falls from `middle` to `end`, and whose held-out bytes cost `bits` each.
  void candidate(const std::string& kind, int64_t length, double middle, double end, double bits,
                 const std::string& json = "", const std::vector<std::vector<double>>& ratios = {}) {
    const std::string name = kind + "@" + std::to_string(length);
    const Calibration costs{.parameters = 1000, .positions = 2 * length, .step_seconds = 0.1, .step_flops = 1e6};
    const ModelConfig config =
        json.empty() ? ModelConfig::load(test::any_preset(test::Keeps::fixed)) : ModelConfig::parse(json, name);
    store_->keep_candidate(name, Json({{"config", Json::parse(config.json())},
                                       {"where", "here"},
                                       {"layers", "m"},
                                       {"length", length},
                                       {"batch", 2},
                                       {"costs", Json::parse(write_fields(costs))}})
                                     .dump());
    Json curve = Json::array();
    for (const auto& [step, value] : {std::pair(50, middle + 1), {100, middle}, {150, (middle + end) / 2}, {200, end}})
      curve.push_back({{"step", step}, {"bits_per_byte", value}});
    for (size_t i = 0; i < ratios.size(); ++i) curve[i]["ratios"] = ratios[i];
    store_->keep_trial(
        name, "train", "seed 1",
        Json({{"lr", 0.002}, {"steps", 200}, {"best_step", 200}, {"curve", curve}, {"memory", Json::object()}}).dump());
    store_->keep_costs(
        name, 1,
        std::vector<float>(static_cast<size_t>(amounts_.judged_bytes), static_cast<float>(bits * std::numbers::ln2)));
  }
  void second_seed(const std::string& name, double bits) {
    store_->keep_costs(
        name, 2,
        std::vector<float>(static_cast<size_t>(amounts_.judged_bytes), static_cast<float>(bits * std::numbers::ln2)));
  }
  Json found() {
    const std::string text(200'000, 'x');
    const ByteSource source = ByteSource::from_memory(std::span(&text, 1));
    const Parts parts = cut(source, settings_);
    const Device device = Device::cpu({.threads = 1});
    const CompareRun run;
    return findings({source, parts, settings_, amounts_, *store_, device, run}, true);
  }

  std::string folder_;
  std::optional<Store> store_;
  CompareSettings settings_{.lengths = "64,128"};
  Amounts amounts_{.train = 20, .judged_bytes = 4096};
};

TEST_F(Findings, TheBestAtALengthHasFinished) {
  candidate("mamba2", 64, 2.5, 2.3, 2.30);
  candidate("hybrid", 64, 2.5, 2.3, 2.31);
  candidate("attention", 64, 2.9, 2.2, 2.20);  // best, and still falling steeply
  candidate("mamba2", 128, 3.3, 2.3, 2.30);
  candidate("attention", 128, 2.95, 2.9, 2.85);  // above the counts of three bytes
  const Json report = found();
  EXPECT_EQ(unlisted_keys(report), std::vector<std::string>());
  ASSERT_EQ(report["by_length"].size(), 1u) << report["by_length"];
  EXPECT_EQ(report["by_length"][0]["length"], 64);
  EXPECT_EQ(report["by_length"][0]["best"], "mamba2@64");
  EXPECT_EQ(report["by_length"][0]["within_doubt"], Json({"hybrid@64"}));
  EXPECT_NE(report["notes"].dump().find("at 128 bytes every training is unfinished"), std::string::npos)
      << report["notes"];
  EXPECT_EQ(report["notes"].dump().find("at 64 bytes"), std::string::npos) << report["notes"];
}

// The same rule as for each length: who has not finished is neither the best nor recommended.
TEST_F(Findings, TheBestOfAllHasFinished) {
  candidate("mamba2", 64, 2.5, 2.3, 2.30);
  candidate("attention", 64, 2.9, 2.2, 2.20);
  Json report = found();
  EXPECT_FALSE(report["candidates"][0].contains("difference")) << report["candidates"][0];
  EXPECT_TRUE(report["candidates"][1]["unfinished"].get<bool>());
  EXPECT_NEAR(report["candidates"][1]["difference"]["bits_per_byte"], -0.1, 1e-4);
  EXPECT_EQ(report["recommendation"]["winner"], "mamba2@64");
  const auto says = [&](const char* words) { return report["recommendation"].dump().find(words) != std::string::npos; };
  EXPECT_TRUE(says("the others are unfinished, so there is none to compare it with")) << report["recommendation"];
  EXPECT_TRUE(says("It is not beaten, and costs less than the best that has finished")) << report["recommendation"];
  second_seed("attention@64", 2.2);
  report = found();
  EXPECT_EQ(report["recommendation"]["winner"], "mamba2@64");
}

TEST_F(Findings, TheDoubtCountsWhatARateLosesInMostCases) {
  candidate("mamba2", 64, 2.5, 2.3, 2.30);
  for (const Known& known : all_known(*store_, settings_, amounts_)) {
    EXPECT_GT(known.judged.rate_loss_95_percent, 2 * known.rate.expected_loss);
    Judged sure = known.judged;
    sure.rate_loss_95_percent = 0;
    const Json found_one = found()["candidates"][0];
    EXPECT_NEAR(found_one["doubt"].get<double>(), std::hypot(own_doubt(sure), known.rate.loss_95_percent), 1e-9);
    EXPECT_EQ(found_one["rate"]["loss_95_percent"].get<double>(), known.rate.loss_95_percent);
  }
}

TEST_F(Findings, NoneIsRecommendedWhereNoneHasFinished) {
  candidate("mamba2", 64, 3.3, 2.3, 2.30);
  candidate("attention", 64, 2.9, 2.2, 2.20);
  const Json report = found();
  EXPECT_FALSE(report["recommendation"].contains("winner"));
  EXPECT_EQ(report["recommendation"]["decided_by"], "nothing");
  EXPECT_NE(report["recommendation"].dump().find("every training is unfinished, so no candidate is called the best: so "
                                                 "far attention@64 costs 2.200 bits per byte"),
            std::string::npos)
      << report["recommendation"];
}

// A fall of 0.15 bits in the last quarter is little at 2 bits per byte, and a fifth of what logs cost.
TEST_F(Findings, WhatCostsLittleIsUnfinishedByItsShare) {
  candidate("logs", 64, 1.03, 0.73, 0.7);
  candidate("few", 64, 0.83, 0.73, 0.7);  // 0.05 in its last quarter
  candidate("text", 64, 2.5, 2.2, 2.2);
  const Json report = found();
  EXPECT_TRUE(report["candidates"][0]["unfinished"].get<bool>());
  EXPECT_FALSE(report["candidates"][1]["unfinished"].get<bool>());
  EXPECT_FALSE(report["candidates"][2]["unfinished"].get<bool>());
}

// One lucky seed is no lead: both get another, however far apart they are.
TEST_F(Findings, TheFirstTwoGetASecondSeed) {
  candidate("a", 64, 2.4, 2.3, 2.40);
  EXPECT_TRUE(first_two(*store_, settings_, amounts_).empty());
  candidate("b", 64, 2.4, 2.3, 2.10);
  candidate("c", 64, 2.4, 2.3, 2.60);
  EXPECT_EQ(first_two(*store_, settings_, amounts_), (std::vector<std::string>{"b@64", "a@64"}));
  second_seed("b@64", 9);  // the same decision after a run that was cut
  EXPECT_EQ(first_two(*store_, settings_, amounts_), (std::vector<std::string>{"b@64", "a@64"}));
}

TEST_F(Findings, WhoHasOneSeedIsComparedWithTheFirstOfTheBest) {
  candidate("a", 64, 2.4, 2.3, 2.10);
  candidate("b", 64, 2.4, 2.3, 2.11);
  candidate("c", 64, 2.4, 2.3, 2.12);
  second_seed("a@64", 2.16);
  second_seed("b@64", 2.20);
  const Json report = found();
  EXPECT_NEAR(report["candidates"][0]["bits_per_byte"], 2.13, 1e-4);
  EXPECT_FALSE(report["candidates"][0].contains("difference")) << report["candidates"][0];
  EXPECT_NEAR(report["candidates"][1]["difference"]["bits_per_byte"], 0.025, 1e-4);
  EXPECT_NEAR(report["candidates"][2]["difference"]["bits_per_byte"], 0.02, 1e-4);  // not -0.01
  EXPECT_NE(report["recommendation"].dump().find("two candidates are compared on the seeds that both have"),
            std::string::npos)
      << report["recommendation"];
}

// Added to a comparison whose first two have had their second seeds, or not yet given its own.
TEST_F(Findings, WhoIsAheadWithTheSameSeedIsTheBest) {
  candidate("a", 64, 2.4, 2.3, 2.30);
  candidate("b", 64, 2.4, 2.3, 2.31);
  candidate("c", 64, 2.4, 2.3, 2.20);
  second_seed("a@64", 2.10);
  second_seed("b@64", 2.32);
  const Json report = found();
  EXPECT_FALSE(report["candidates"][2].contains("difference")) << report["candidates"][2];
  EXPECT_NEAR(report["candidates"][0]["difference"]["bits_per_byte"], 0.1, 1e-4);
  EXPECT_EQ(report["by_length"][0]["best"], "c@64");
  EXPECT_NE(report["recommendation"].dump().find("c@64"), std::string::npos);
}

// What a router aims at is for the plan. The report counts what was read.
TEST_F(Findings, FlopsAreThoseOfWhatInnerStacksRead) {
  STATERA_NEEDS({"hnet"});
  const std::string config =
      test::with("f [ f4 ] f", R"([{"type": "hnet", "ratio": 6, "ratio_weight": 0.1, "stack": {"d_model": 32}}])");
  candidate("plain", 64, 2.5, 2.3, 2.3);
  candidate("known", 64, 2.5, 2.3, 2.3, config, {{2}, {3}, {3}, {3}});
  candidate("unknown", 64, 2.5, 2.3, 2.3, config);
  for (const char* name : {"plain", "known", "unknown"})
    store_->keep_trial(name + std::string("@64"), "noise", "growth 1",
                       Json({{"growth", 1}, {"bits_per_byte", 2}, {"ratios", {2}}}).dump());
  const Json report = found(), plain = report["candidates"][0], known = report["candidates"][1],
             unknown = report["candidates"][2];
  EXPECT_EQ(unlisted_keys(report), std::vector<std::string>());
  const auto cost = [&](const char* ratio) {
    std::string text = config;
    text.replace(text.find("6"), 1, ratio);
    return LanguageModel(ModelConfig::parse(text, "x")).cost(64, 64).training_flops;
  };
  const double at_2 = 1e6 * cost("2") / cost("6"), at_3 = 1e6 * cost("3") / cost("6"), bytes = 200 * 128;
  EXPECT_GT(at_2, 1.1 * at_3);
  const auto near = [](const Json& value, double expected) { EXPECT_NEAR(value, expected, 1e-9 * expected); };
  near(known["curve"][0]["flops"], 50 * at_2);
  near(known["curve"][3]["flops"], 50 * at_2 + 150 * at_3);
  near(known["train_flops"], 50 * at_2 + 150 * at_3);
  near(known["training_flops_per_byte"], (50 * at_2 + 150 * at_3) / bytes);
  near(known["inner"][0]["ratio"], 200 / (50 / 2.0 + 150 / 3.0));
  near(known["inner"][0]["last_ratio"], 3);
  for (const Json& planned : {plain, unknown}) {
    near(planned["curve"][3]["flops"], 200 * 1e6);
    near(planned["train_flops"], 200 * 1e6);
    EXPECT_FALSE(planned.contains("inner"));
  }
  EXPECT_GT(known["noise"][0]["flops_per_byte"], 0);
  EXPECT_EQ(known["noise"][0]["flops_per_byte"], unknown["noise"][0]["flops_per_byte"]);  // of that training
  const std::string notes = report["notes"].dump();
  EXPECT_NE(notes.find("known@64: its FLOPs count what its inner stacks read in training, 2.67 positions per segment "
                       "(at the end 3.00); its steps were planned with the ratio of its config; its time is that of a "
                       "router that had learned nothing"),
            std::string::npos)
      << notes;
  EXPECT_NE(notes.find("unknown@64: its FLOPs count the ratio of its config, since it is not known"), std::string::npos)
      << notes;
  EXPECT_EQ(notes.find("plain@64: its FLOPs"), std::string::npos) << notes;
}

// The windows that are judged have grown with the stream.
TEST_F(Findings, TheStepsOfAStreamWithFillersAreThoseOfItsContext) {
  STATERA_NEEDS({"attention"});
  candidate("a", 64, 2.4, 2.3, 2.30, ModelConfig::load(test::any_preset(test::Keeps::growing)).json());
  for (const int growth : {1, 2, 4})
    store_->keep_trial("a@64", "noise", "growth " + std::to_string(growth),
                       Json({{"growth", growth}, {"bits_per_byte", 2.3 + 0.1 * growth}}).dump());
  Json report = found();
  const auto rows = [&] { return report["candidates"][0]["noise"]; };
  ASSERT_EQ(rows().size(), 3u);
  const double flops = rows()[0]["flops_per_byte"];
  EXPECT_GT(rows()[2]["flops_per_byte"].get<double>(), 4.01 * flops);  // attention sees four times as much
  for (const Json& row : rows()) EXPECT_FALSE(row.contains("step_seconds_per_byte")) << row;
  Json contexts = Json::array();
  for (const int64_t context : {64, 128, 256})
    contexts.push_back({{"context", context}, {"step_seconds", 1e-3 + 1e-5 * context}, {"state_bytes", 1000}});
  const auto speed = [&] {
    store_->keep_trial(
        "a@64", "speed", "seed 1",
        Json({{"prefill_bytes_per_second", 1e5}, {"step_bytes_per_second", 1e3}, {"contexts", contexts}}).dump());
    report = found();
  };
  speed();
  EXPECT_NEAR(rows()[0]["step_seconds_per_byte"], 1e-3 + 64e-5, 1e-9);
  EXPECT_NEAR(rows()[0]["step_seconds_per_byte"], report["candidates"][0]["judged_at"]["step_seconds"], 1e-9);
  EXPECT_NEAR(rows()[2]["step_seconds_per_byte"], 4 * (1e-3 + 256e-5), 1e-9);
  contexts.erase(2);  // not measured
  speed();
  for (const Json& row : rows()) EXPECT_FALSE(row.contains("step_seconds_per_byte")) << row;
}

TEST_F(Findings, ASecondSeedThatFailsLeavesTheFirst) {
  candidate("a", 64, 2.4, 2.3, 2.30);
  candidate("b", 64, 2.4, 2.3, 2.40);
  second_seed("b@64", 2.41);
  store_->keep_trial("a@64", "train", "seed 2", Json({{"lr", 0.002}, {"steps", 200}, {"error", "not finite"}}).dump());
  const Json report = found();
  EXPECT_EQ(report["candidates"][0]["status"], "done");
  EXPECT_EQ(report["by_length"][0]["best"], "a@64");
  EXPECT_NE(report["notes"].dump().find("a@64 failed with a second seed (not finite)"), std::string::npos)
      << report["notes"];
}

}  // namespace
}  // namespace statera
