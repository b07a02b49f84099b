// The folder of a run: what an earlier run left there, what is done to it meanwhile.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/small_run.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;
using namespace test;

TEST(TrainerFolder, AnEarlierModelStaysUntilThereIsAnother) {
  const Folder folder;
  const std::string before = weights_after(short_run(), folder.path);
  const auto models = [&] { return bytes_of(folder.path + "/last/model.safetensors") + bytes_of(folder.path + "/model.safetensors"); };
  TrainOptions options = short_run();
  options.seed = 7;
  Model model = small_model();
  model.init(8);
  train(model, data_for(options), options, {.out = folder.path, .overwrite = true, .checkpoint_seconds = 1000, .progress = [&](const TrainProgress& p) {
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
    const std::string error = error_of([&] { train(model, data_for(short_run()), short_run(), {.out = folder.path, .resume = resume}); }, ErrorCode::io);
    EXPECT_NE(error.find(folder.path + " holds a model already ("), std::string::npos) << error;
    EXPECT_TRUE(bytes_of(folder.path + "/last/model.safetensors") + bytes_of(folder.path + "/model.safetensors") == before);
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
    train(model, data_for(short_run()), short_run(), {.out = to, .resume = resume, .overwrite = !resume, .progress = [&](const TrainProgress& p) {
            if (p.step == 2) second();
          }});
  };
  const auto swap = [&] {
    fs::rename(out, moved);
    fs::create_directory(out);
    std::ofstream(out + "/config.json") << "another run";
  };
  const std::string error = error_of([&] { start(out, false, swap); }, ErrorCode::io);
  EXPECT_NE(error.find(out + ": this folder was moved while it was written into, and is now " + moved), std::string::npos) << error;
  EXPECT_EQ(bytes_of(out + "/config.json"), "another run");
  EXPECT_EQ(std::distance(fs::directory_iterator(out), {}), 1);
  start(moved, true, [] {});
  EXPECT_TRUE(bytes_of(moved + "/last/model.safetensors") + bytes_of(moved + "/model.safetensors") == weights_after(short_run(), alone.path));

  const std::string lost = error_of([&] { start(moved, false, [&] { fs::remove(moved + "/.statera.lock"); }); }, ErrorCode::io);
  EXPECT_NE(lost.find(moved + ": its .statera.lock was removed"), std::string::npos) << lost;
}

TEST(TrainerFolder, MetricsWithAnotherNameKeepTheirLinesThere) {
  const Folder folder;
  const auto run = [&](bool resume) {
    Model model = small_model();
    int64_t steps = 0;
    train(model, data_for(short_run()), short_run(), {.out = folder.path, .resume = resume, .overwrite = !resume, .stop = [&] { return ++steps == 3; }});
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
