// The measures of a trained model, each on something whose value is known.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <set>

#include "lab/measure/by_position.hpp"
#include "lab/measure/contexts.hpp"
#include "lab/measure/filler.hpp"
#include "lab/measure/paired.hpp"
#include "lab/measure/recall.hpp"
#include "lab/measure/sequences.hpp"
#include "lab/measure/stream_cost.hpp"
#include "models/language_model.hpp"
#include "statera/error.hpp"
#include "statera/loss.hpp"
#include "support/any_mixer.hpp"
#include "support/pair_units.hpp"

namespace statera {
namespace {

Model small(int64_t context = 0) {
  Model model(
      ModelConfig::parse(R"({"d_model": 16, "mixers": )" + test::two_mixers(16) + R"(, "layers": "m A"})", "test"),
      Device::cpu({.threads = 1}));
  model.init(3);
  if (context > 0) model.set_context(context);
  return model;
}

std::string text(size_t bytes, uint32_t seed = 1) {
  std::string s;
  for (uint32_t x = seed; s.size() < bytes; x = x * 1664525 + 1013904223) s += static_cast<char>('a' + (x >> 24) % 26);
  return s;
}

ByteSource source(const std::vector<std::string>& documents) { return ByteSource::from_memory(documents); }

// Of finite weights that are too large to compute with.
TEST(Measures, ACostThatIsNotFiniteIsAnError) {
  Model model = small();
  for (Parameter* p : model.parameters()) {
    std::fill_n(p->value.as<float>(), p->shape.elements(), 1e30f);
    p->changed();
  }
  const ByteSource data = source({text(3000)});
  const auto numeric = [](const auto& measure) {
    try {
      measure();
    } catch (const Error& error) {
      return error.code() == ErrorCode::numeric;
    }
    return false;
  };
  EXPECT_TRUE(numeric([&] { stream_cost(model, data, 3000); }));
  EXPECT_TRUE(numeric([&] { by_position(model, data, 1024, 4096); }));
  EXPECT_TRUE(numeric([&] { recall(model, data, 2); }));
  EXPECT_TRUE(numeric([&] { noise_cost(model, data, {.growth = 2}, 32, 256); }));
}

TEST(StreamCost, IsTheSessionsScoreAndDocumentsBeginAnew) {
  const Model model = small();
  const std::string one = text(700), two = text(300, 9);
  const std::vector<float> nats = stream_cost(model, source({one, two}), 900);
  ASSERT_EQ(nats.size(), 900u);
  Session session(model, {.rewind_bytes = 0});
  const std::vector<float> second = session.score(byte_units()->encode(two.substr(0, 200)).ids);
  for (size_t i = 0; i < second.size(); ++i) EXPECT_EQ(nats[700 + i], second[i]) << i;
}

Model over_pairs() {
  ModelConfig config = small().config();
  config.vocab_size = test::PairUnits().size();
  Model model(config, Device::cpu({.threads = 1}), {.training = false});
  model.init(4);
  model.set_units(std::make_shared<test::PairUnits>());
  return model;
}

// With tokens, every byte still has a cost, and each byte of a token the same.
TEST(StreamCost, OfATokenIsSpreadOverItsBytes) {
  const Model model = over_pairs();
  std::string all;
  for (int i = 0; all.size() < 40000; ++i) all += "book keeper " + std::to_string(i * i) + " zz";
  const std::vector<float> nats = stream_cost(model, source({all}), std::ssize(all));
  ASSERT_EQ(nats.size(), all.size());
  Session session(model, {.rewind_bytes = 0});
  const UnitIds ids = model.units()->encode(all);
  const std::vector<float> whole = per_byte(session.score(ids.ids), ids);  // not in pieces
  for (size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(nats[i], whole[i], 1e-4) << i;
  const size_t pair = all.find("oo");
  EXPECT_EQ(nats[pair], nats[pair + 1]);
}

TEST(StreamCost, MeasurementsOfAModelOverTokensCountBytes) {
  const Model model = over_pairs();
  std::string all;
  for (int i = 0; all.size() < 3000; ++i) all += "zz" + std::to_string(i) + "aabb";
  int64_t bytes = 0;
  for (const PositionCost& bucket : by_position(model, source({all}), 1000, 1)) bytes += bucket.bytes;
  EXPECT_EQ(bytes, 1000);
  EXPECT_FALSE(recall(model, source({all}), 2).empty());
  const IdSource ids(source({all}), model.units());
  FillerStream fillers(ids, 2, 100, {.growth = 2}, 3);
  const Batch batch = fillers.random(1);
  int64_t of_targets = 0;
  for (const int32_t target : batch.targets)
    if (target >= 0) of_targets += target >= test::PairUnits::first_pair ? 2 : 1;
  EXPECT_EQ(batch.bytes, of_targets);
  EXPECT_GT(noise_cost(model, ids, {.growth = 2}, 32, 256), 0);
  const Model* models[] = {&model};
  const double bytes_per_id[] = {2.0};
  const auto costs = step_costs(models, source({all}), {}, bytes_per_id);
  for (const ContextCost& c : costs[0])  // a context of bytes is one of half as many tokens
    EXPECT_NEAR(static_cast<double>(c.state_bytes), modules_of(model).cost(1, c.context / 2).state_bytes, 1)
        << c.context;
}

TEST(StreamCost, OfAModelThatLearnsBeginsDocumentsAnewAndIsTheFrozenOneAtFirst) {
  const std::string one = text(64), two = text(40, 9);
  const std::vector<float> before = stream_cost(small(24), source({one, two}), 104);
  OnlineModel model(small(24), {.lr = 1e-2, .segment = 32, .window = 32, .warmup = 0});
  std::vector<float> nats;
  size_t predicted = 0;
  stream_costs(
      model, source({one, two}), 100,
      [&](std::span<const uint8_t>, const std::vector<float>& some) {
        nats.insert(nats.end(), some.begin(), some.end());
        return true;
      },
      [&](std::span<const uint8_t>) { return [&](size_t, std::span<const float>) { ++predicted; }; });
  ASSERT_EQ(nats.size(), 100u);
  EXPECT_EQ(predicted, 100u);
  EXPECT_EQ(model.steps(), 3);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(nats[i], before[i]) << i;  // nothing was learned yet
  EXPECT_NE(nats[40], before[40]);
}

TEST(ByPosition, BucketsHoldEveryByteOnceAndTheirMeans) {
  const Model model = small();
  const std::string one = text(100);
  const std::vector<PositionCost> buckets = by_position(model, source({one}), 1000, 1);
  const std::vector<float> nats = stream_cost(model, source({one}), 100);
  int64_t bytes = 0;
  for (const PositionCost& b : buckets) {
    EXPECT_EQ(b.from, bytes);
    bytes += b.bytes;
    double mean = 0;
    for (int64_t i = b.from; i < b.from + b.bytes; ++i)
      mean += static_cast<double>(nats[static_cast<size_t>(i)]) / static_cast<double>(b.bytes) / std::numbers::ln2;
    EXPECT_NEAR(b.bits_per_byte, mean, 1e-6);
  }
  EXPECT_EQ(bytes, 100);
  EXPECT_EQ(buckets.back().to, 128);
}

TEST(ByPosition, WindowsEndWithTheirDocument) {
  const Model model = small();
  const std::vector<PositionCost> buckets = by_position(model, source({text(10), text(20), text(30)}), 60, 1);
  EXPECT_EQ(std::accumulate(buckets.begin(), buckets.end(), int64_t{0},
                            [](int64_t n, const PositionCost& b) { return n + b.bytes; }),
            10);
}

// Keys that slide over 16 positions forget the first copy: what stands there makes no difference to the second.
TEST(Recall, WhatIsForgottenGainsNothing) {
  STATERA_NEEDS(test::Keeps::growing);
  Model model(ModelConfig::parse(R"({"d_model": 16, "mixers": {"A": )" + test::any_mixer(test::Keeps::growing, 16) +
                                     R"(}, "layers": "A"})",
                                 "test"),
              Device::cpu({.threads = 1}));
  model.init(3);
  model.set_context(16);
  const std::vector<RecallGain> gains = recall(model, source({text(2100)}), 2);
  ASSERT_EQ(gains.size(), 3u);  // the text is long enough for 256, 512 and 1,024
  EXPECT_EQ(gains.back().distance, 1024);
  for (const RecallGain& g : gains) EXPECT_EQ(g.gain, 0) << g.distance;
}

// And one that sees all of it does make a difference, of either sign in an untrained model.
TEST(Recall, WhatIsSeenShows) {
  STATERA_NEEDS(test::Keeps::growing);
  const std::vector<RecallGain> gains = recall(small(), source({text(2100)}), 2);
  ASSERT_EQ(gains.size(), 3u);
  for (const RecallGain& g : gains) EXPECT_NE(g.gain, 0) << g.distance;
  EXPECT_TRUE(recall(small(), source({text(400)}), 2).empty());
}

TEST(Filler, EveryByteIsATargetOnceInOrder) {
  const std::string all = text(5000);
  for (const int64_t growth : {1, 2, 4}) {
    FillerStream stream(source({all}), 3, 400, {.growth = growth}, 7);
    const Batch batch = stream.random(5);
    int64_t targets = 0, fillers = 0;
    for (size_t w = 0; w < 3; ++w) {
      std::string read, predicted;
      for (size_t row = w * 400; row < (w + 1) * 400; ++row) {
        const int32_t id = batch.inputs.ids[row], target = batch.targets[row];
        if (id == begin_id)
          ++fillers;
        else
          read += static_cast<char>(id);
        if (target >= 0) predicted += static_cast<char>(target), ++targets;
      }
      ASSERT_NE(all.find(read), std::string::npos) << growth;
      const size_t at = all.find(read);
      EXPECT_EQ(predicted, all.substr(at + 1, predicted.size())) << growth;
      EXPECT_LE(read.size() - predicted.size(), 1u);
    }
    EXPECT_NEAR(static_cast<double>(targets), 1200.0 / static_cast<double>(growth), growth == 1 ? 0 : 60) << growth;
    EXPECT_EQ(fillers == 0, growth == 1);
  }
}

TEST(Filler, EvenlyThereIsTheSameNumberAfterEachByte) {
  FillerStream stream(source({text(5000)}), 1, 40, {.growth = 4, .even = true}, 7);
  const Batch batch = stream.random(0);
  for (size_t row = 0; row < 40; ++row) {
    EXPECT_EQ(batch.inputs.ids[row] == begin_id, row % 4 != 0) << row;
    EXPECT_EQ(batch.targets[row] >= 0, row % 4 == 3) << row;
  }
}

TEST(Filler, TheyMayBeOfSeveralIds) {
  FillerStream stream(source({text(5000)}), 1, 2000, {.growth = 4, .first = 300, .ids = 8}, 7);
  const Batch batch = stream.random(0);
  std::set<int32_t> seen;
  for (const int32_t id : batch.inputs.ids)
    if (id > 255) seen.insert(id);
  EXPECT_EQ(seen, (std::set<int32_t>{300, 301, 302, 303, 304, 305, 306, 307}));
  for (const int32_t target : batch.targets) EXPECT_LT(target, 256);
}

TEST(Filler, ABatchIsAFunctionOfItsNumber) {
  FillerStream a(source({text(5000)}), 2, 100, {.growth = 2}, 7), b(source({text(5000)}), 2, 100, {.growth = 2}, 7),
      other(source({text(5000)}), 2, 100, {.growth = 2}, 8);
  a.random(3);
  const Batch first = a.random(4), again = b.random(4);
  EXPECT_EQ(first.inputs.ids, again.inputs.ids);
  EXPECT_NE(first.inputs.ids, other.random(4).inputs.ids);
}

TEST(Filler, CrossesDocumentsAndReachesTheEnd) {
  FillerStream stream(source({"abc", text(40)}), 1, 42, {}, 0);
  const Batch batch = stream.spread(0, 1);
  EXPECT_EQ(batch.inputs.ids[2], 'c');
  EXPECT_EQ(batch.targets[2], text(1)[0]);
  EXPECT_THROW(FillerStream(source({text(40)}), 1, 40, {}, 0), Error);
}

// Tokens of validation text may be fewer than its bytes let expect.
TEST(Filler, HeldOutTextMayBeShorterThanAWindow) {
  FillerTraining training(source({text(5000)}), source({text(60)}), {.batch = 2, .length = 100}, {.growth = 4});
  const TrainingData data = training.data();
  EXPECT_EQ(data.batch(0).inputs.ids.size(), 200u);
  EXPECT_EQ(data.held_out(0).inputs.ids.size(), 2u * 59);
}

TEST(Filler, WithoutFillersTheCostIsThatOfTheWindows) {
  const Model model = small();
  const std::string all = text(65);
  Tokens tokens{.ids = byte_units()->encode(all.substr(0, 64)).ids, .offsets = {0, 64}, .start = {0}};
  const std::vector<int32_t> targets = byte_units()->encode(all.substr(1, 64)).ids;
  Tape tape(model.device());
  EXPECT_NEAR(noise_cost(model, source({all}), {}, 64, 1),
              tape.item(cross_entropy(tape, model.forward(tape, tokens), targets)), 1e-6);
}

TEST(Contexts, StateBytesAreTheLayouts) {
  const Model model = small(32);
  const Model* models[] = {&model, &model};
  const ByteSource read = source({text(3000)});
  const auto costs = step_costs(models, read);
  ASSERT_EQ(costs.size(), 2u);
  EXPECT_EQ(costs[0].front().context, 256);
  EXPECT_EQ(costs[0].back().context, 65536);
  for (const ContextCost& c : costs[0]) {
    EXPECT_GT(c.step_seconds, 0);
    EXPECT_NEAR(static_cast<double>(c.state_bytes), modules_of(model).cost(1, c.context).state_bytes, 1) << c.context;
  }
  EXPECT_TRUE(step_costs(models, read, {}, {}, [] { return true; }).empty());
}

// The context in which the quality is judged, though the document is shorter.
TEST(Contexts, PrefillReadsTheBytesOfTheContext) {
  const Model model = small(32);
  const Model* models[] = {&model, &model};
  const int64_t contexts[] = {96, 5000};
  const auto speeds = stream_speeds(models, source({text(3000)}), contexts);
  ASSERT_EQ(speeds.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(speeds[i].prefill_bytes, contexts[i]);
    EXPECT_GT(speeds[i].prefill_bytes_per_second, 0);
  }
  EXPECT_TRUE(stream_speeds(models, source({text(3000)}), contexts, [] { return true; }).empty());
}

// An inner stack on every fourth position has read a quarter of them, and keeps no more than its window.
TEST(Contexts, AnInnerStackIsPutWhereItsPaceBringsIt) {
  STATERA_NEEDS({"attention", "hnet"});
  constexpr double two_blocks = 2 * 64 * 2 * 16 * sizeof(float);  // of 64 keys and values, 16 wide
  for (const auto keeps : {test::Keeps::growing, test::Keeps::windowed}) {
    Model model(ModelConfig::parse(R"({"d_model": 16, "mixers": {"A": )" + test::any_mixer(keeps, 16) +
                                       R"(}, "layers": "[ A ]", "inner": [{"type": "hnet", "router": "stride", )" +
                                       R"("ratio": 4}]})",
                                   "test"),
                Device::cpu({.threads = 1}));
    model.init(3);
    Sequences one(model, 1);
    for (const int64_t context : {256, 4096}) {
      one.place(context, 4);
      EXPECT_EQ(one.first().position(), context - 4);
      EXPECT_EQ(one.first().position(1), (context - 4) / 4);
      one.read(context, 4);
      EXPECT_EQ(one.first().position(1), context / 4);
      const double state = modules_of(model).cost(1, context).state_bytes;
      EXPECT_GE(one.bytes(), state - 1) << context;
      EXPECT_LE(one.bytes(), state + two_blocks) << context;
    }
    const Model* models[] = {&model};
    const auto costs = step_costs(models, source({text(3000)}));
    EXPECT_NEAR(static_cast<double>(costs[0].back().state_bytes),
                modules_of(model).cost(1, longest_context).state_bytes, two_blocks);
  }
}

TEST(Paired, ByHand) {
  const double ln2 = std::numbers::ln2;
  const std::vector<float> a = {2, 2, 4, 4, 3}, b = {1, 1, 1, 1, 1};
  // block differences 1, 3 and (half as long) 2 nats; weighted mean 2
  const PairedDifference d = paired_difference(a, b, 2);
  EXPECT_NEAR(d.mean, 2 / ln2, 1e-6);
  EXPECT_NEAR(d.standard_error, std::sqrt((std::pow(0.4 * -1, 2) + std::pow(0.4 * 1, 2)) * 3 / 2) / ln2, 1e-6);
  EXPECT_EQ(paired_difference(a, a, 2).standard_error, 0);
  EXPECT_EQ(paired_difference(a, b, 10).standard_error, 0);  // one block tells nothing
  EXPECT_NEAR(standard_error(std::vector<double>{1, 2, 3, 4}), std::sqrt(5.0 / 3 / 4), 1e-12);
  EXPECT_EQ(standard_error(std::vector<double>{1}), 0);
  EXPECT_NEAR(errors_for_95_percent(4), 3.1824, 1e-4);  // a table of Student's t
  EXPECT_NEAR(errors_for_95_percent(5), 2.7764, 0.014);
  EXPECT_NEAR(errors_for_95_percent(11), 2.2281, 0.001);
  EXPECT_NEAR(errors_for_95_percent(100'000), 1.96, 0.001);
  EXPECT_THROW(errors_for_95_percent(1), Error);
  EXPECT_THROW(paired_difference(a, std::vector<float>{1}, 2), Error);
}

}  // namespace
}  // namespace statera
