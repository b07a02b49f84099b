// The folder of a run: what an earlier run left there, what is done to it meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/pair_units.hpp"
#include "support/small_run.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;
using namespace test;

// The tokenizer of a run is in its checkpoint from the first one on, and a run goes on with that one only.
TEST(TrainerFolder, ARunOverTokensResumesWithItsTokenizer) {
  const Folder folder;
  const TrainOptions options = short_run();
  const auto model_with = [](const std::string& file) {
    ModelConfig config = hybrid("m A");
    config.vocab_size = PairUnits().size();
    Model model(config, Device::cpu({.threads = 1}));
    model.init(3);
    model.set_units(std::make_shared<PairUnits>(file));
    return model;
  };
  Model first = model_with("one");
  TrainRun run{.out = folder.path, .stop = [n = 0]() mutable { return ++n == 2; }};
  train(first, data_for(options), options, run);
  EXPECT_EQ(saved_run(folder.path)->tokenizer, "one");
  Model other = model_with("two");
  run.resume = true;
  run.stop = nullptr;
  EXPECT_NE(
      error_of([&] { train(other, data_for(options), options, run); }, ErrorCode::config).find("another tokenizer"),
      std::string::npos);
  Model again = model_with("one");
  EXPECT_TRUE(train(again, data_for(options), options, run).finished);
  for (const char* file : {"/tokenizer.json", "/last/tokenizer.json"}) EXPECT_TRUE(fs::exists(folder.path + file));
}

TEST(TrainerFolder, AnEarlierModelStaysUntilThereIsAnother) {
  const Folder folder;
  const std::string before = weights_after(short_run(), folder.path);
  const auto models = [&] {
    return bytes_of(folder.path + "/last/model.safetensors") + bytes_of(folder.path + "/model.safetensors");
  };
  TrainOptions options = short_run();
  options.seed = 7;
  Model model = small_model();
  model.init(8);
  train(model, data_for(options), options,
        {.out = folder.path, .overwrite = true, .checkpoint_seconds = 1000, .progress = [&](const TrainProgress& p) {
           if (p.step < 3) {
             EXPECT_TRUE(models() == before);
           } else {
             EXPECT_FALSE(fs::exists(folder.path + "/last"));
             EXPECT_NO_THROW(Model::load(folder.path, Device::cpu({.threads = 1})));
           }
         }});
  EXPECT_TRUE(fs::exists(folder.path + "/last/model.safetensors"));
  EXPECT_FALSE(models() == before);
}

TEST(TrainerFolder, AnEarlierModelIsReplacedOnlyWhenAsked) {
  const Folder folder;
  const std::string before = weights_after(short_run(), folder.path);
  const auto refused = [&](bool resume) {
    Model model = small_model();
    const std::string error =
        error_of([&] { train(model, data_for(short_run()), short_run(), {.out = folder.path, .resume = resume}); },
                 ErrorCode::io);
    EXPECT_NE(error.find(folder.path + " holds a model already ("), std::string::npos) << error;
    EXPECT_TRUE(bytes_of(folder.path + "/last/model.safetensors") + bytes_of(folder.path + "/model.safetensors") ==
                before);
  };
  refused(false);
  fs::remove_all(folder.path + "/checkpoint");
  refused(false);
  refused(true);  // there is nothing to go on from, so it would be replaced
}

TEST(TrainerFolder, AFolderThatIsMovedGetsTheRunAndAnotherInItsPlaceNothing) {
  const Folder folder, alone;
  const std::string out = folder.path + "/run", moved = folder.path + "/moved";
  const auto start = [&](const std::string& to, bool resume, const std::function<void()>& second) {
    Model model = small_model();
    train(model, data_for(short_run()), short_run(),
          {.out = to, .resume = resume, .overwrite = !resume, .progress = [&](const TrainProgress& p) {
             if (p.step == 2) second();
           }});
  };
  const auto swap = [&] {
    fs::rename(out, moved);
    fs::create_directory(out);
    std::ofstream(out + "/config.json") << "another run";
  };
  const std::string error = error_of([&] { start(out, false, swap); }, ErrorCode::io);
  EXPECT_NE(error.find(out + ": this folder was moved while it was written into, and is now " + moved),
            std::string::npos)
      << error;
  EXPECT_EQ(bytes_of(out + "/config.json"), "another run");
  EXPECT_EQ(std::distance(fs::directory_iterator(out), {}), 1);
  start(moved, true, [] {});
  EXPECT_TRUE(bytes_of(moved + "/last/model.safetensors") + bytes_of(moved + "/model.safetensors") ==
              weights_after(short_run(), alone.path));

  const std::string lost =
      error_of([&] { start(moved, false, [&] { fs::remove(moved + "/.statera.lock"); }); }, ErrorCode::io);
  EXPECT_NE(lost.find(moved + ": its .statera.lock was removed"), std::string::npos) << lost;
}

// A run whose second measurement is the best of four: the second half of its text is another.
struct Thrown {
  TrainOptions options = short_run();
  TrainingData data = data_for(options);
  Thrown() {
    options.lr = 0.03f;
    options.evaluate_every = 2;
    data.batch = [batch = data.batch, last = Windows(options.batch, options.length, false),
                  noise = std::vector<int32_t>()](int64_t i) mutable {
      if (i < 4) return batch(i);
      const Batch plain = last(i);
      noise.assign(plain.targets.size(), 255);
      return Batch{plain.inputs, noise};
    };
  }
  TrainResult go(const std::string& out, int64_t stop_behind = -1) const {
    Model model = small_model();
    return train(model, data, options, {.out = out, .resume = true, .stop = [&] { return --stop_behind == 0; }});
  }
};

TEST(TrainerFolder, OtherWeightsAreNotTakenForItsBest) {
  STATERA_NEEDS(Keeps::growing);  // other mixers learn in another way: the best is not the second
  const Folder folder, other;
  const Thrown run;
  const TrainResult whole = run.go(folder.path);
  ASSERT_EQ(whole.best_step, 4);
  const std::string weights = folder.path + "/model.safetensors", best = bytes_of(weights);
  EXPECT_EQ(run.go(folder.path).held_out, whole.held_out);
  weights_after(short_run(), other.path);
  fs::copy_file(other.path + "/model.safetensors", weights, fs::copy_options::overwrite_existing);
  const auto error = [&] { return error_of([&] { run.go(folder.path); }, ErrorCode::io); };
  EXPECT_NE(error().find(folder.path +
                         ": the best weights of this run, of step 4, are not there (model.safetensors holds others)"),
            std::string::npos)
      << error();
  fs::remove(weights);
  EXPECT_NE(error().find("(model.safetensors is missing); put them back"), std::string::npos) << error();
  std::ofstream(weights, std::ios::binary) << best;
  EXPECT_EQ(run.go(folder.path).held_out, whole.held_out);
  fs::remove_all(folder.path);
  EXPECT_EQ(run.go(folder.path).held_out, whole.held_out);
}

// What a checkpoint of a later step cannot make again is missed before the work; what its own step was the best of is
// made again.
TEST(TrainerFolder, BestWeightsThatAreGoneAreMissedAtOnce) {
  STATERA_NEEDS(Keeps::growing);  // other mixers learn in another way: the best is not the second
  const Folder folder;
  const Thrown run;
  run.go(folder.path, 5);
  fs::remove(folder.path + "/model.safetensors");
  int64_t steps = 0;
  Model model = small_model();
  const auto go_on = [&] {
    train(model, run.data, run.options,
          {.out = folder.path, .resume = true, .progress = [&](const TrainProgress&) { ++steps; }});
  };
  EXPECT_NE(error_of(go_on, ErrorCode::io).find("of step 4, are not there (model.safetensors is missing)"),
            std::string::npos);
  EXPECT_EQ(steps, 0);
  const Folder at_best;
  run.go(at_best.path, 4);
  fs::remove(at_best.path + "/model.safetensors");
  EXPECT_EQ(run.go(at_best.path).best_step, 4);
}

TEST(TrainerFolder, MetricsThatLostTheirEndGoOnBehindTheLastWholeLine) {
  const Folder folder;
  const std::string path = folder.path + "/metrics.jsonl";
  std::vector<std::string> notes;
  const auto run = [&](int64_t steps) {
    Model model = small_model();
    train(model, data_for(short_run()), short_run(),
          {.out = folder.path,
           .resume = true,
           .stop = [&] { return --steps == 0; },
           .note = [&](const std::string& line) { notes.push_back(line); }});
  };
  run(4);
  const std::string before = bytes_of(path);
  const size_t second = before.find('\n', before.find('\n') + 1) + 1;
  fs::resize_file(path, second + 10);
  run(1);
  run(-1);
  const std::string after = bytes_of(path), said = "metrics.jsonl: " + std::to_string(before.size() - second) +
                                                   " bytes of earlier steps are missing";
  EXPECT_EQ(std::ranges::count_if(notes, [&](const std::string& line) { return line.starts_with(said); }), 1);
  EXPECT_EQ(after.substr(0, second), before.substr(0, second));
  EXPECT_EQ(after.substr(second, 10), "{\"step\": 5");
  EXPECT_EQ(std::ranges::count(after, '\n'), 6);
}

TEST(TrainerFolder, MetricsWithAnotherNameKeepTheirLinesThere) {
  const Folder folder;
  const auto run = [&](bool resume) {
    Model model = small_model();
    int64_t steps = 0;
    train(model, data_for(short_run()), short_run(),
          {.out = folder.path, .resume = resume, .overwrite = !resume, .stop = [&] { return ++steps == 3; }});
  };
  run(false);
  const std::string before = bytes_of(folder.path + "/metrics.jsonl");
  fs::create_hard_link(folder.path + "/metrics.jsonl", folder.path + "/backup");
  run(true);
  EXPECT_GT(bytes_of(folder.path + "/metrics.jsonl").size(), before.size());
  run(false);
  EXPECT_EQ(bytes_of(folder.path + "/backup"), before);
}

}  // namespace
}  // namespace statera
