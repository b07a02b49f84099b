// What happens before the first step: a batch that the budget does not hold, and an end that is asked for. The clock
// decides nothing here.
#include <gtest/gtest.h>

#include <filesystem>

#include "support/small_run.hpp"
#include "train/checkpoint.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;
using namespace test;

struct Counted {
  TrainOptions options = short_run();
  int64_t batches = 0, held_out = 0;
  TrainingData data() {
    TrainingData data = data_for(options);
    data.batch = [this, batch = data.batch](int64_t i) { return ++batches, batch(i); };
    data.held_out = [this, batch = data.held_out](int64_t i) { return ++held_out, batch(i); };
    return data;
  }
};

TEST(TrainerBudget, ABatchThatDoesNotFitIsRefusedBeforeItRuns) {
  const Folder folder;
  Counted run;
  run.options.steps = 0;
  run.options.budget = 1e-9;
  run.options.batch = 16;
  for (const char* precision : {"fp32", "auto"}) {
    run.options.precision = precision;
    run.batches = 0;
    Model model = small_model();
    const std::string error =
        error_of([&] { train(model, run.data(), run.options, {.out = folder.path + "/m"}); }, ErrorCode::config);
    EXPECT_NE(error.find("a step of 16 x 24 positions and its measurements take "), std::string::npos) << error;
    EXPECT_NE(error.find("take a smaller --batch or --length, or a larger --budget"), std::string::npos) << error;
    EXPECT_EQ(run.batches, 2) << "one window for its memory, one for its time";
    EXPECT_FALSE(fs::exists(folder.path + "/m"));
  }
}

TEST(TrainerBudget, AnEndIsHeardBeforeTheFirstStep) {
  for (int64_t asked = 1; asked < 6; ++asked) {
    const Folder folder;
    Counted run;
    Model model = small_model();
    int64_t asks = 0;
    const TrainResult result =
        train(model, run.data(), run.options, {.out = folder.path + "/m", .abandon = [&] { return ++asks >= asked; }});
    EXPECT_FALSE(result.finished);
    EXPECT_EQ(result.step, 0);
    EXPECT_EQ(run.batches + run.held_out, asked - 1);
    EXPECT_FALSE(fs::exists(folder.path + "/m"));
  }
}

TEST(TrainerBudget, AnEndOfTheLastMeasurementLosesNothing) {
  const Folder whole, cut;
  Counted run;
  Model model = small_model();
  const double expected = train(model, run.data(), run.options, {.out = whole.path}).held_out;
  bool last = false;
  const auto progress = [&](const TrainProgress& p) { last = p.step == p.steps; };
  TrainResult result =
      train(model, run.data(), run.options, {.out = cut.path, .abandon = [&] { return last; }, .progress = progress});
  EXPECT_FALSE(result.finished);
  EXPECT_EQ(result.step, result.options.steps);
  run.batches = 0;
  Model again = small_model();
  Model first = small_model();
  result = train(first, run.data(), run.options, {.out = whole.path, .resume = true});
  EXPECT_EQ(result.held_out, expected);
  result = train(again, run.data(), run.options, {.out = cut.path, .resume = true});
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(run.batches, 0);
}

}  // namespace
}  // namespace statera
