// Whole models with a memory of n-grams: which rows it reads, bad configs, and a run that is cut before its first step.
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>

#include "models/language_model.hpp"
#include "support/any_mixer.hpp"
#include "support/small_run.hpp"
#include "statera/error.hpp"
#include "statera/session.hpp"

namespace statera {
namespace {

ModelConfig config(const std::string& ngram, const std::string& layers = "n") {
  return ModelConfig::parse(R"({"format_version": 2, "d_model": 8, "layers": ")" + layers +
                                R"(", "blocks": {"n": [{"name": "ngram", "norm": "none", "mixer": {"type": "ngram", )" +
                                ngram + "}}]}}",
                            "x.json");
}

Parameter& table(const Model& model) {
  for (Parameter* p : model.parameters())
    if (p->by_rows) return *p;
  throw Error(ErrorCode::config, "no table");
}

Model trained(const std::string& ngram) {
  Model model(config(ngram), Device::cpu({.threads = 1}));
  model.init(1);
  Parameter& p = table(model);
  for (int64_t i = 0; i < p.elements(); ++i) p.value.as<float>()[i] = static_cast<float>(std::sin(0.7 * double(i)));
  p.changed();
  return model;
}

std::vector<float> logits_after(const Model& model, const std::string& text) {
  Session session(model);
  const auto logits = session.prefill(text);
  return {logits.begin(), logits.end()};
}

TEST(NgramMemory, RemembersTheLastIdsAndNothingBefore) {
  STATERA_NEEDS({"ngram"});
  const Model model = trained(R"("order": 3, "rows": 4096)");
  EXPECT_EQ(logits_after(model, "a long beginning, xyz"), logits_after(model, "qqxyz"));
  EXPECT_NE(logits_after(model, "xyz"), logits_after(model, "wyz"));
  EXPECT_NE(logits_after(model, "xyz"), logits_after(model, "yxz"));  // the order counts
  EXPECT_NE(logits_after(model, "z"), logits_after(model, "yz"));     // and so does the beginning
}

TEST(NgramMemory, WithoutAWidthItStartsAsTheModelWithoutIt) {
  STATERA_NEEDS({"ngram"});
  Model model(config(R"("order": 4, "rows": 16)"), Device::cpu({.threads = 1}));
  model.init(1);
  const Parameter& p = table(model);
  EXPECT_EQ(p.shape, Shape({3 * 16, 8}));
  for (int64_t i = 0; i < p.elements(); ++i) EXPECT_EQ(p.value.as<float>()[i], 0);
  EXPECT_FALSE(p.decay);
}

TEST(NgramMemory, RefusesImpossibleConfigs) {
  STATERA_NEEDS({"ngram"});
  for (const char* bad :
       {R"("order": 1)", R"("order": 17)", R"("rows": 3)", R"("rows": 1)", R"("heads": 0)", R"("width": -1)",
        R"("lr_scale": -1)", R"("order": 16, "heads": 64, "rows": 1073741824)", R"("size": 1)"})
    EXPECT_THROW(Model(config(bad)), Error) << bad;
}

// With a budget, the forecast makes a step and undoes it, in the rows that it touched too: a checkpoint from before the
// first step can be resumed.
TEST(NgramMemory, ARunThatEndsInItsFirstStepGoesOn) {
  STATERA_NEEDS({"ngram"});
  const test::Folder folder;
  TrainOptions options = test::short_run();
  options.steps = 0;
  options.budget = 0.5;
  const auto run = [&](bool resume, bool ends) {
    Model model(config(R"("order": 3, "rows": 64)"), Device::cpu({.threads = 1}));
    model.init(1);
    TrainRun how{.out = folder.path + "/m", .resume = resume};
    if (ends) how.progress = [](const TrainProgress&) { throw std::runtime_error("killed"); };
    return train(model, test::data_for(options), options, how);
  };
  EXPECT_THROW(run(false, true), std::runtime_error);
  EXPECT_TRUE(run(true, false).finished);
}

}  // namespace
}  // namespace statera
