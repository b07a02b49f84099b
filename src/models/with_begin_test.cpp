// A model that gets an id for the beginning of a document says of all other ids what it said before.
#include "models/with_begin.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/check.hpp"
#include "statera/tape.hpp"
#include "support/any_mixer.hpp"

namespace statera {
namespace {

std::vector<float> logits_of(const Model& model, std::vector<int32_t> ids) {
  Tape tape(model.device());
  const auto count = static_cast<int32_t>(ids.size());
  const View y = tape.value(model.forward(tape, {.ids = std::move(ids), .offsets = {0, count}, .start = {0}}));
  return {y.as<float>(), y.as<float>() + y.elements()};
}

TEST(WithBegin, KeepsWhatTheModelSaysOfOtherIds) {
  ModelConfig config = ModelConfig::load(test::any_preset(test::Keeps::fixed));
  config.begin = false;
  Model model(config, Device::cpu({.threads = 1}));
  model.init(3);
  const Model grown = with_begin(model, 5);
  EXPECT_TRUE(grown.config().begin);
  EXPECT_EQ(grown.parameter_count(), model.parameter_count() + config.d_model);
  EXPECT_EQ(logits_of(grown, {7, 200, 31}), logits_of(model, {7, 200, 31}));
  EXPECT_NE(logits_of(grown, {256, 7}), logits_of(with_begin(model, 6), {256, 7}));  // another seed
  EXPECT_THROW(static_cast<void>(with_begin(grown, 5)), Error);
}

}  // namespace
}  // namespace statera
