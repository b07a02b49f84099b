// Sessions and generate() over tokens: text goes in and comes out.
#include <gtest/gtest.h>

#include "conformance/model_cases.hpp"
#include "statera/error.hpp"
#include "statera/sampler.hpp"
#include "statera/session.hpp"
#include "support/any_mixer.hpp"
#include "support/pair_units.hpp"

namespace statera {
namespace {

using test::PairUnits;

Model token_model() {
  ModelConfig config = test::hybrid("m A");
  config.vocab_size = PairUnits().size();
  Model model(config, Device::cpu({.threads = 1}), {.training = false});
  model.init(5);
  model.set_units(std::make_shared<PairUnits>());
  return model;
}

TEST(TokenText, PrefillReadsTheIdsOfTheText) {
  const Model model = token_model();
  Session text(model), ids(model);
  const auto from_text = text.prefill("hello, all");
  const std::vector<float> expected(from_text.begin(), from_text.end());
  const auto from_ids = ids.prefill(model.units()->encode("hello, all").ids);
  EXPECT_EQ(text.position(), 8);  // "ll" twice
  EXPECT_EQ(std::vector<float>(from_ids.begin(), from_ids.end()), expected);
}

// What is generated is what the sampled ids stand for, up to max_bytes.
TEST(TokenText, GenerateGivesTheTextOfTheIds) {
  const Model model = token_model();
  const GenerateOptions options{.max_bytes = 60, .temperature = 1, .seed = 3, .raw = true};
  const std::string generated = generate(model, "aab", options);
  Sampler sample({.temperature = 1, .seed = 3});
  Session session(model);
  std::span<const float> logits = session.prefill("aab");
  for (const int32_t id : model.units()->encode("aab").ids) sample.observe(id);
  const auto reader = model.units()->reader();
  std::string expected;
  while (expected.size() < 60) {
    const int32_t id = sample(logits);
    if (model.units()->ends_text(id)) break;
    expected += reader->push(id);
    logits = session.step(id);
  }
  EXPECT_GT(expected.size(), 2u);
  EXPECT_EQ(generated, expected.substr(0, 60));
}

TEST(TokenText, ATextEndsBeforeTheIdThatEndsIt) {
  const Model model = token_model();
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const std::string text = generate(model, "", {.max_bytes = 2000, .temperature = 1, .seed = seed, .raw = true});
    EXPECT_EQ(text.find("<end>"), std::string::npos);
    if (text.size() < 2000) return;  // one of 283 ids is the end
  }
  ADD_FAILURE() << "no text ended";
}

TEST(TokenText, AStopStringMayLieAcrossTokens) {
  const Model model = token_model();
  const GenerateOptions options{.max_bytes = 200, .temperature = 1, .seed = 4, .raw = true};
  const std::string whole = generate(model, "", options);
  // a stop string that begins within a token of two bytes and ends in another one
  const UnitIds ids = model.units()->encode(whole);
  size_t at = 0;
  std::string stop;
  for (size_t i = 0; i + 1 < ids.ids.size() && stop.empty(); at += static_cast<size_t>(ids.bytes[i++]))
    if (ids.bytes[i] == 2) stop = whole.substr(at + 1, 2);
  ASSERT_EQ(stop.size(), 2u) << "no token of two bytes was sampled";
  GenerateOptions stopped = options;
  stopped.stop = {stop};
  EXPECT_EQ(generate(model, "", stopped), whole.substr(0, whole.find(stop)));
}

TEST(TokenText, AModelWithoutATokenizerSaysSo) {
  ModelConfig config = test::hybrid("m");
  config.vocab_size = 300;
  Model model(config, Device::cpu({.threads = 1}), {.training = false});
  model.init(1);
  Session session(model);
  EXPECT_THROW(session.prefill("a"), Error);
  EXPECT_THROW(generate(model, "a"), Error);
}

}  // namespace
}  // namespace statera
