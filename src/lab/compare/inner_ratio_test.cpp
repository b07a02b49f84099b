// What inner stacks read: from the lines of a training to the FLOPs of its curve.
#include "lab/compare/inner_ratio.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lab/compare/trial.hpp"
#include "models/language_model.hpp"
#include "support/any_mixer.hpp"
#include "support/files_on_disk.hpp"
#include "support/inner_model.hpp"

namespace statera {
namespace {
using Json = nlohmann::ordered_json;
constexpr int64_t ids = 48;

std::string hnet(const std::string& more) { return R"({"type": "hnet", "stack": {"d_model": 16})" + more + "}"; }
ModelConfig one(const std::string& more) {
  return ModelConfig::parse(test::with("f [ f2 ] f", "[" + hnet(more) + "]"), "one");
}
ModelConfig two(const std::string& outer, const std::string& inner) {
  return ModelConfig::parse(test::with("f [ f [ f2 ] f ] f", "[" + hnet(outer) + ", " + hnet(inner) + "]"), "two");
}
double flops(const ModelConfig& config) { return LanguageModel(config).cost(ids, ids).training_flops; }

TEST(InnerRatio, FlopsFollowTheCurve) {
  STATERA_NEEDS({"hnet"});
  const ModelConfig config = two(R"(, "ratio": 3)", R"(, "ratio": 4, "ratio_weight": 0.1)");
  const Json curve = {{{"step", 10}, {"ratios", {2, 5}}}, {{"step", 30}, {"ratios", {4, 2.5}}}, {{"step", 40}}};
  const TrainingFlops found = training_flops(curve, 1000, config, ids);
  const double first = 1000 * flops(two(R"(, "ratio": 2)", R"(, "ratio": 5)")) / flops(config),
               later = 1000 * flops(two(R"(, "ratio": 4)", R"(, "ratio": 2.5)")) / flops(config);
  ASSERT_EQ(found.at.size(), 3u);
  EXPECT_NEAR(found.at[0], 10 * first, 1e-6);
  EXPECT_NEAR(found.at[1], 10 * first + 20 * later, 1e-6);
  EXPECT_NEAR(found.at[2], 10 * first + 30 * later, 1e-6) << "no step since the point before: as until then";
  EXPECT_NEAR(found.per_step, later, 1e-9);
  EXPECT_EQ(found.last, (std::vector<double>{4, 2.5}));
  ASSERT_EQ(found.ratios.size(), 2u);  // all positions around by all positions within
  EXPECT_NEAR(found.ratios[0], 40 / (10 / 2.0 + 30 / 4.0), 1e-9);
  EXPECT_NEAR(found.ratios[1], (10 / 2.0 + 30 / 4.0) / (10 / 10.0 + 30 / 10.0), 1e-9);
}

TEST(InnerRatio, WithoutRatiosThePlanHolds) {
  STATERA_NEEDS({"hnet"});
  const TrainingFlops found = training_flops({{{"step", 10}}, {{"step", 30}}}, 7, one(""), ids);
  EXPECT_EQ(found.at, (std::vector<double>{70, 210}));
  EXPECT_TRUE(found.ratios.empty() && found.last.empty());
  // one stack that stands at two places has two ratios
  const ModelConfig twice = ModelConfig::parse(test::with("f [ f ] f [ f ]", "[" + hnet("") + "]"), "twice");
  const TrainingFlops unclear = training_flops({{{"step", 10}, {"ratios", {2, 3}}}}, 7, twice, ids);
  EXPECT_EQ(unclear.at, std::vector<double>{70});
  EXPECT_TRUE(unclear.ratios.empty());
  EXPECT_FALSE(with_ratios(twice, std::vector<double>{2, 3}));
}

TEST(InnerRatio, IsSetWhereCutsAreNotFixed) {
  STATERA_NEEDS({"hnet"});
  const std::vector<double> ratio = {3.7}, most = {1};
  EXPECT_EQ(with_ratios(one(""), ratio)->json(), one(R"(, "ratio": 3.7)").json());
  EXPECT_NE(with_ratios(one(R"(, "router": "spaces", "ratio": 6)"), ratio)->json().find("3.7"), std::string::npos);
  EXPECT_EQ(with_ratios(one(R"(, "router": "stride", "ratio": 4)"), ratio)->json(),
            one(R"(, "router": "stride", "ratio": 4)").json());
  EXPECT_GT(flops(*with_ratios(one(""), most)), flops(*with_ratios(one(""), ratio)));  // a cut at every position
  EXPECT_TRUE(learns_cuts(one("")));
  for (const char* fixed : {R"(, "router": "spaces")", R"(, "router": "stride")"})
    EXPECT_FALSE(learns_cuts(one(fixed)));
  EXPECT_TRUE(has_inner_stacks(one("")));
  EXPECT_FALSE(has_inner_stacks(ModelConfig::load(test::any_preset(test::Keeps::fixed))));
}

TEST(InnerRatio, ALearnedRouterIsTimedAtItsTarget) {
  STATERA_NEEDS({"hnet"});
  const std::string learned = R"(, "ratio": 5.6, "ratio_from": 2, "ratio_weight": 0.1, "confidence": "none")",
                    stride = R"(, "ratio": 6, "router": "stride")", spaces = R"(, "router": "spaces")";
  EXPECT_EQ(Json::parse(at_targets(two(learned, stride)).json()), Json::parse(two(stride, stride).json()));
  EXPECT_EQ(at_targets(one(spaces)).json(), one(spaces).json());
  const ModelConfig plain = ModelConfig::load(test::any_preset(test::Keeps::fixed));
  EXPECT_EQ(at_targets(plain).json(), plain.json());
}

class Curve : public test::FilesOnDisk {};

TEST_F(Curve, HasTheRatiosOfTheStepsSinceThePointBefore) {
  const Json curve =
      curve_of(write("metrics.jsonl",
                     R"({"step": 1, "inner": [{"positions": 40, "ratio": 2}, {"positions": 10, "ratio": 4}]}
{"step": 2, "held_out": 3.5, "inner": [{"positions": 10, "ratio": 8}, {"positions": 10, "ratio": 1}]}
{"step": 3, "held_out": 3.25, "inner": [{"positions": 16, "ratio": 5}, {"positions": 8, "ratio": 2}]}
)"));
  ASSERT_EQ(curve.size(), 2u);
  EXPECT_EQ(curve[0], Json({{"step", 2}, {"bits_per_byte", 3.5}, {"ratios", {3.2, 2.5}}}));
  EXPECT_EQ(curve[1], Json({{"step", 3}, {"bits_per_byte", 3.25}, {"ratios", {5.0, 2.0}}}));
  EXPECT_EQ(curve_of(write("plain.jsonl", R"({"step": 1, "held_out": 3}
)")),
            Json::array({{{"step", 1}, {"bits_per_byte", 3}}}));
}

}  // namespace
}  // namespace statera
