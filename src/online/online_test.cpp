// Models that learn while they read: what they say does not depend on how they are asked.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <string>

#include "conformance/model_cases.hpp"
#include "statera/error.hpp"
#include "online/learner_fuzz.hpp"
#include "statera/online.hpp"
#include "support/any_mixer.hpp"
#include "support/file_tensors.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

std::vector<int32_t> text(int64_t count) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>(97 + (i * i / 7 + i % 5) % 26));
  return ids;
}

Model model(const ModelConfig& config, int threads = 1) {
  Model made(config, Device::cpu({.threads = threads}));
  made.init(3);
  return made;
}

const OnlineOptions few{.lr = 0.003, .segment = 24, .window = 40, .replay = 1, .warmup = 2};

double sum(const std::vector<float>& costs) { return std::accumulate(costs.begin(), costs.end(), 0.0); }

class Online : public testing::TestWithParam<test::ModelCase> {};

TEST_P(Online, CutsAndThreadsChangeNoBit) {
  const std::vector<int32_t> ids = text(170);
  OnlineModel whole(model(GetParam().config), few), in_parts(model(GetParam().config, 2), few);
  const std::vector<float> expected = whole.score(ids);
  std::vector<float> got;
  for (size_t begin = 0, part = 24; begin < ids.size(); begin += part, part += 24) {
    const auto some = in_parts.score(std::span(ids).subspan(begin, std::min(part, ids.size() - begin)));
    got.insert(got.end(), some.begin(), some.end());
  }
  EXPECT_EQ(expected, got);
  EXPECT_EQ(whole.steps(), 7);
  EXPECT_EQ(whole.drift(), in_parts.drift());
  EXPECT_GT(whole.drift(), 0);
}

// What was learned is kept, whenever it is saved: within a segment, in a second document, with replay and rows.
TEST_P(Online, SavedAnywhereItGoesOnExactly) {
  const std::vector<int32_t> ids = text(200);
  const std::string path = testing::TempDir() + "statera_learner";
  for (const size_t at : {0, 10, 100}) {
    OnlineModel whole(model(GetParam().config), few);
    whole.score(std::span(ids).first(60));
    whole.next_document();
    whole.score(std::span(ids).subspan(60, at));
    whole.save(path);
    OnlineModel again = OnlineModel::restore(path, model(GetParam().config, 2));
    EXPECT_EQ(again.steps(), whole.steps());
    EXPECT_EQ(again.drift(), whole.drift());
    const auto rest = std::span(ids).subspan(60 + at);
    EXPECT_EQ(again.score(rest), whole.score(rest)) << at;
    EXPECT_EQ(again.drift(), whole.drift());
  }
  EXPECT_THROW(Snapshot::load(path, model(GetParam().config)), Error);
}

TEST(OnlineFile, OfAnotherModelOrDamagedIsRefused) {
  const ModelConfig config = test::model_cases().front().config;
  const std::string path = testing::TempDir() + "statera_learner";
  OnlineModel learner(model(config), few);
  learner.score(text(60));
  learner.save(path);
  Model other(config, Device::cpu({.threads = 1}));
  other.init(4);
  const auto error_of = [&](Model made) -> std::string {
    try {
      OnlineModel::restore(path, std::move(made));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(error_of(other).find("is of another model"), std::string::npos);
  EXPECT_EQ(error_of(model(config)), "");
  using Metadata = std::map<std::string, std::string>;
  const SafetensorsFile good = SafetensorsFile::open(path);
  const Metadata metadata = good.metadata();
  const test::FileTensors tensors(good);
  const auto damaged = [&](const std::function<void(Metadata&)>& change) {
    Metadata changed = metadata;
    change(changed);
    OutputPlace place(path);
    place.may_replace = "statera learner";
    write_with_checksum(place, tensors.views, changed);
    return error_of(model(config));
  };
  EXPECT_NE(damaged([](Metadata& m) { m["document"] = "1000"; }).find("do not fit"), std::string::npos);
  EXPECT_NE(damaged([](Metadata& m) { m["unlearned"] = "24"; }).find("do not fit"), std::string::npos);
  EXPECT_NE(damaged([](Metadata& m) { m.erase("steps"); }).find("'steps' is missing"), std::string::npos);
  EXPECT_NE(damaged([](Metadata& m) { m["format"] = "statera learner 9"; }).find("expected"), std::string::npos);
  EXPECT_NE(damaged([](Metadata& m) { m["options"] = "{\"lr\": -1}"; }).find("lr is -1"), std::string::npos);
}

// The fuzzer's first input is a real file, without a checksum that a change would break.
TEST(OnlineFile, TheFuzzersFirstInputGoesOn) {
  STATERA_NEEDS(snapshot_fuzz_mixers);
  std::ifstream file(test::source_path("tests/fuzz/learner/two-documents.learner"), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}}, plain = testing::TempDir() + "statera_plain",
                                                                     path = testing::TempDir() + "statera_learner";
  ASSERT_NE(bytes.find(any_model), std::string::npos);
  std::ofstream(plain, std::ios::binary) << with_fingerprint(bytes, learner_fuzz_model());
  with_checksum(plain, path);
  OnlineModel learner = OnlineModel::restore(path, learner_fuzz_model());
  EXPECT_EQ(learner.kept(), 35u);
  EXPECT_EQ(learner.steps(), 4);
  learner.score(text(20));
  EXPECT_EQ(learner.steps(), 6);
}

TEST_P(Online, ARateOfZeroIsTheFrozenModel) {
  OnlineOptions none = few;
  none.lr = 0;
  const Model frozen = model(GetParam().config);
  OnlineModel still(model(GetParam().config), none);
  const std::vector<int32_t> ids = text(100);
  Session session(frozen);
  std::vector<float> expected;
  for (size_t begin = 0; begin < ids.size(); begin += 24) {
    const auto some = session.score(std::span(ids).subspan(begin, std::min<size_t>(24, ids.size() - begin)));
    expected.insert(expected.end(), some.begin(), some.end());
  }
  EXPECT_EQ(still.score(ids), expected);
  EXPECT_EQ(still.drift(), 0);
}

std::vector<std::vector<float>> weights(const Model& model) {
  std::vector<std::vector<float>> all;
  for (const Parameter* p : model.parameters()) {
    const auto* x = p->value.as<float>();
    all.emplace_back(x, x + p->elements());
  }
  return all;
}

// With words, only the parameters that they name learn, the others keep every bit, and nothing is left in gradients.
TEST_P(Online, OnlyTheNamedParametersLearn) {
  const std::vector<int32_t> ids = text(150);
  OnlineOptions norms = few;
  norms.parameters = " norm ,norm.weight";
  OnlineModel learner(model(GetParam().config), norms);
  const auto before = weights(learner.model());
  learner.score(std::span(ids).first(100));
  const auto after = weights(learner.model());
  int64_t learned = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    const Parameter& p = *learner.model().parameters()[i];
    const bool named = p.name.find("norm") != std::string::npos;
    if (named)
      learned += before[i] != after[i];  // some have no gradient at first, behind a matrix of zeros
    else
      EXPECT_EQ(before[i], after[i]) << p.name;
    EXPECT_TRUE(std::ranges::all_of(std::span(p.grad.as<float>(), static_cast<size_t>(p.elements())), [](float g) {
      return g == 0;
    })) << p.name;
  }
  EXPECT_GT(learned, 0);
  const std::string path = testing::TempDir() + "statera_learner";
  learner.save(path);
  OnlineModel again = OnlineModel::restore(path, model(GetParam().config));
  EXPECT_EQ(again.options().parameters, norms.parameters);
  EXPECT_EQ(again.drift(), learner.drift());
  EXPECT_EQ(again.score(std::span(ids).subspan(100)), learner.score(std::span(ids).subspan(100)));
  for (const char* wrong : {"nothing", "norm,nothing", "norm,", ","}) {
    norms.parameters = wrong;
    EXPECT_THROW(OnlineModel(model(GetParam().config), norms), Error) << wrong;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Online, testing::ValuesIn(test::model_cases()),
                         [](const auto& info) { return info.param.name; });

TEST(OnlineModel, LearnsFromEarlierDocumentsAndSaysWhatItPredicted) {
  const ModelConfig config = test::model_cases().front().config;
  OnlineModel online(model(config), few);
  std::vector<size_t> asked;
  double from_logits = 0;
  const std::vector<int32_t> ids = text(400);
  const std::vector<float> first = online.score(ids, [&](size_t i, std::span<const float> logits) {
    asked.push_back(i);
    double all = 0;
    for (const float z : logits) all += std::exp(static_cast<double>(z));
    from_logits += std::log(all) - static_cast<double>(logits[static_cast<size_t>(ids[i])]);
  });
  EXPECT_EQ(asked.size(), ids.size());
  EXPECT_EQ(asked.back(), ids.size() - 1);
  EXPECT_NEAR(from_logits, sum(first), 1e-3);
  online.next_document();
  EXPECT_LT(sum(online.score(ids)), 0.9 * sum(first));
}

TEST(OnlineModel, PullsBackTowardsTheTrainedWeights) {
  const ModelConfig config = test::model_cases().front().config;
  OnlineOptions pulled = few;
  pulled.pull = 0.2;
  OnlineModel free(model(config), few), held(model(config), pulled);
  free.score(text(400)), held.score(text(400));
  EXPECT_LT(held.drift(), 0.7 * free.drift());
  EXPECT_GT(held.drift(), 0);
}

TEST(OnlineModel, ForgetsOldTextWithinItsMemory) {
  const ModelConfig config = test::model_cases().front().config;
  OnlineOptions small = few;
  small.keep_bytes = 4 * 120;
  OnlineModel online(model(config), small);
  for (int document = 0; document < 5; ++document) {
    online.score(text(100));
    EXPECT_LE(online.kept(), 120u + 24u);
    online.next_document();
  }
  EXPECT_EQ(online.steps(), 25);
  small.lr = 0;
  OnlineModel still(model(config), small);
  for (int i = 0; i < 5; ++i) still.score(text(100));
  EXPECT_LE(still.kept(), 120u + 24u);
}

TEST(OnlineModel, LearnsFromDocumentsShorterThanASegment) {
  const ModelConfig config = test::model_cases().front().config;
  OnlineOptions with_earlier = few;
  with_earlier.replay = 2;
  OnlineModel online(model(config), with_earlier);
  const std::vector<int32_t> ids = text(20);
  const double first = sum(online.score(ids));
  for (int document = 0; document < 40; ++document) {
    online.next_document();
    online.score(ids);
  }
  EXPECT_EQ(online.steps(), 40);
  online.next_document();
  EXPECT_LT(sum(online.score(ids)), 0.5 * first);
}

TEST(OnlineModel, RefusesImpossibleOptions) {
  const ModelConfig config = test::model_cases().front().config;
  for (const OnlineOptions& bad :
       {OnlineOptions{.lr = -1}, {.lr = NAN}, {.segment = 0}, {.pull = 1.5}, {.replay = -1}, {.keep_bytes = 100}})
    EXPECT_THROW(OnlineModel(model(config), bad), Error);
  EXPECT_THROW(OnlineModel(Model(config, Device::best(), {.training = false})), Error);  // not made for training
}

}  // namespace
}  // namespace statera
