// Lanes whose documents end within a batch: each position has the logits that its document has when it is read alone.
#include "statera/carry.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "statera/data.hpp"
#include "statera/error.hpp"
#include "support/any_mixer.hpp"

namespace statera {
namespace {

constexpr int64_t lanes = 3, length = 16;

std::vector<double> logits_of(const Model& model, const Tokens& tokens, const ForwardOptions& options = {}) {
  Tape tape(model.device());
  const View y = tape.value(model.forward(tape, tokens, options));
  return {y.as<double>(), y.as<double>() + y.elements()};
}

class Carry : public testing::TestWithParam<std::string> {
 protected:
  Carry() : model(ModelConfig::load(GetParam()), Device::cpu({.threads = 2}), {.dtype = DType::f64}) { model.init(3); }

  static BatchStream stream() {
    std::vector<std::string> documents;
    for (const size_t size : {37, 5, 60, 21, 44, 90, 13})
      documents.push_back(std::string(size, static_cast<char>('a' + documents.size())));
    return {IdSource(ByteSource::from_memory(documents), byte_units()),
            {.batch = lanes, .length = length, .order = Order::lanes}};
  }
  Model model;
};

TEST_P(Carry, EachDocumentIsReadAsIfAlone) {
  BatchStream batches = stream();
  CarriedState state;
  std::vector<std::vector<int32_t>> read(lanes);  // of the document that each lane is in
  size_t several = 0;
  for (int64_t step = 0; step < batches.steps(); ++step) {
    const Tokens& tokens = batches.next(step).inputs;
    sequences_from_lanes(tokens, length, state);
    const std::vector<double> logits = logits_of(model, tokens, {.initial = &state, .last = &state});
    lanes_from_sequences(tokens, length, state);
    several += tokens.start.size() > lanes;
    for (size_t s = 0; s < tokens.start.size(); ++s) {
      std::vector<int32_t>& document = read[static_cast<size_t>(tokens.offsets[s] / length)];
      if (tokens.start[s] == 0) document.clear();
      ASSERT_EQ(tokens.start[s], static_cast<int64_t>(document.size()));
      document.insert(document.end(), tokens.ids.begin() + tokens.offsets[s],
                      tokens.ids.begin() + tokens.offsets[s + 1]);
      const auto count = static_cast<int32_t>(document.size());
      const std::vector<double> alone = logits_of(model, {document, {0, count}, {0}});
      for (size_t i = 1; i <= 256; ++i)  // of the last position
        ASSERT_NEAR(alone[alone.size() - i], logits[static_cast<size_t>(tokens.offsets[s + 1]) * 256 - i], 1e-9)
            << step;
    }
  }
  EXPECT_GT(several, 1u);
}

TEST_P(Carry, AStateOfOtherSequencesIsAnError) {
  BatchStream batches = stream();
  CarriedState state;
  for (int64_t step = 0; step < batches.steps(); ++step) {
    const Tokens& tokens = batches.next(step).inputs;
    if (tokens.start.size() == lanes) continue;
    logits_of(model, tokens, {.last = &state});  // one state per sequence: more than lanes
    EXPECT_THROW(sequences_from_lanes(tokens, length, state), Error);
    const Tokens one{{1, 2, 3}, {0, 3}, {0}};
    EXPECT_THROW(logits_of(model, one, {.initial = &state}), Error);
    EXPECT_THROW(lanes_from_sequences(one, length, state), Error);
    EXPECT_THROW(sequences_from_lanes(tokens, 0, state), Error);
    state.positions.push_back(0);
    EXPECT_THROW(logits_of(model, tokens, {.initial = &state}), Error);
    return;
  }
  FAIL() << "no batch has a document's end";
}

INSTANTIATE_TEST_SUITE_P(Kinds, Carry,
                         testing::Values(test::any_preset(test::Keeps::fixed), test::any_preset(test::Keeps::growing)),
                         [](const auto& info) { return info.index == 0 ? "fixed" : "growing"; });

}  // namespace
}  // namespace statera
