// Training of a model with an inner stack: the figures of each step, and a resumed run.
#include <gtest/gtest.h>

#include <sstream>

#include "io/json.hpp"
#include "support/small_run.hpp"

namespace statera::test {
namespace {

Model nested_model(int threads = 1) {
  Model model(ModelConfig::parse(R"({"d_model": 16, "mixers": )" + two_mixers(16) +
                                     R"(, "layers": "m [ m [ A ] ] m",
    "inner": [{"type": "hnet", "ratio": 3, "ratio_from": 2, "stack": {"d_model": 16}},
              {"type": "hnet", "router": "stride", "ratio": 2}]})",
                                 "nested"),
              Device::cpu({.threads = threads}));
  model.init(3);
  return model;
}

std::string weights_of(const std::string& folder) {
  return bytes_of(folder + "/last/model.safetensors") + bytes_of(folder + "/model.safetensors");
}

TEST(InnerTraining, MetricsSayHowLongSegmentsAre) {
  STATERA_NEEDS({"hnet"});
  const Folder folder;
  TrainOptions options = short_run();
  options.accumulate = 2;
  Model model = nested_model();
  std::vector<TrainProgress> steps;
  train(model, data_for(options), options,
        {.out = folder.path, .progress = [&](const TrainProgress& p) { steps.push_back(p); }});
  std::istringstream lines(bytes_of(folder.path + "/metrics.jsonl"));
  ASSERT_EQ(steps.size(), 8u);
  for (const TrainProgress& p : steps) {
    EXPECT_EQ(p.positions, 2 * 2 * 24);
    ASSERT_EQ(p.inner.size(), 2u);
    EXPECT_EQ(p.inner[1].of, p.inner[0].read);
    EXPECT_EQ(p.inner[0].of, p.positions);
    EXPECT_GE(p.inner[0].read, 4);  // the first position of each sequence
    EXPECT_GT(p.auxiliary, 0);
    std::string line;
    std::getline(lines, line);
    const auto json = parse_json(line, "a line");
    EXPECT_EQ(json["inner"][0]["positions"], p.inner[0].read);
    const double bytes = 96.0 / static_cast<double>(p.inner[0].read);
    EXPECT_NEAR(json["inner"][0]["bytes_per_segment"].get<double>(), bytes, 1e-3 * bytes);
    EXPECT_NEAR(json["inner"][0]["ratio"].get<double>(), bytes, 1e-3 * bytes);
    const double outer = static_cast<double>(p.inner[0].read), inner = static_cast<double>(p.inner[1].read);
    EXPECT_NEAR(json["inner"][1]["bytes_per_segment"].get<double>(), 96 / inner, 1e-3 * 96 / inner);
    EXPECT_NEAR(json["inner"][1]["ratio"].get<double>(), outer / inner, 1e-3 * outer / inner);
    EXPECT_NEAR(json["auxiliary"].get<double>(), p.auxiliary, 1e-4 * p.auxiliary);
  }
}

// The states that the stack carries, and how far it had come in each lane, stand in the checkpoint.
TEST(InnerTraining, ResumedIsTheUncutRun) {
  STATERA_NEEDS({"hnet"});
  for (const bool carry : {false, true}) {
    const Folder uncut, cut;
    TrainOptions options = short_run();
    options.carry = carry;
    Model whole = nested_model(2);
    train(whole, data_for(options), options, {.out = uncut.path});
    for (int64_t part = 0; part < 2; ++part) {
      Model model = nested_model();
      int64_t steps = 3;
      TrainRun run{.out = cut.path, .resume = true, .checkpoint_seconds = 1000};
      if (part == 0) run.stop = [&] { return --steps == 0; };
      EXPECT_EQ(train(model, data_for(options), options, run).finished, part == 1);
    }
    EXPECT_TRUE(weights_of(uncut.path) == weights_of(cut.path)) << carry;
  }
}

}  // namespace
}  // namespace statera::test
