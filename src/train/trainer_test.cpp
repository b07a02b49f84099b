#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <set>

#include "core/memory.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"
#include "io/safetensors.hpp"
#include "statera/error.hpp"
#include "statera/train.hpp"
#include "support/file_tensors.hpp"
#include "support/memory_limit.hpp"
#include "support/small_run.hpp"
#include "train/checkpoint.hpp"
#include "train/forecast.hpp"
#include "train/held_out.hpp"

namespace {
std::atomic<int64_t> heap_calls{0};
}

[[gnu::noinline]] void* operator new(size_t bytes) {
  ++heap_calls;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace statera {
namespace {

namespace fs = std::filesystem;
using namespace test;

TEST(Trainer, BitsPerByteDivideByTheBytesThatTargetsStandFor) {
  const TrainOptions options = short_run();
  const auto held_out = [&](int64_t bytes_of_a_target) {
    const Folder folder;
    Model model = small_model();
    TrainingData data = data_for(options);
    data.held_out = [of = data.held_out, bytes_of_a_target](int64_t i) {
      Batch batch = of(i);
      if (bytes_of_a_target > 0) batch.bytes = bytes_of_a_target * static_cast<int64_t>(batch.targets.size());
      return batch;
    };
    return train(model, data, options, {.out = folder.path});
  };
  const TrainResult bytes = held_out(0), same = held_out(1), tokens = held_out(4);
  EXPECT_EQ(same.held_out, bytes.held_out);
  EXPECT_EQ(tokens.held_out, bytes.held_out / 4);
  EXPECT_EQ(tokens.held_out_positions, bytes.held_out_positions);
}

void resume_equals_uncut(TrainOptions options) {
  const Folder uncut, cut;
  const std::string expected = weights_after(options, uncut.path);
  for (int64_t part = 0; part < 3; ++part) {  // stops after steps 3 and 5
    Model model = small_model();
    int64_t steps = part == 0 ? 3 : 2;
    TrainRun run{.out = cut.path, .resume = true, .checkpoint_seconds = 1000};
    if (part < 2) run.stop = [&] { return --steps == 0; };
    const TrainResult result = train(model, data_for(options), options, run);
    EXPECT_EQ(result.finished, part == 2);
    EXPECT_EQ(result.step, part == 0 ? 3 : part == 1 ? 5 : 8);
  }
  EXPECT_TRUE(expected == bytes_of(cut.path + "/last/model.safetensors") + bytes_of(cut.path + "/model.safetensors"));
  std::ifstream metrics(cut.path + "/metrics.jsonl");
  int lines = 0;
  for (std::string line; std::getline(metrics, line); ++lines)
    EXPECT_EQ(line.rfind("{\"step\": " + std::to_string(lines + 1) + ",", 0), 0u) << line;
  EXPECT_EQ(lines, 8);
}

TEST(Trainer, ResumedIsTheUncutRun) { resume_equals_uncut(short_run()); }
TEST(Trainer, ResumedIsTheUncutRunWithCarriedStates) {
  TrainOptions options = short_run();
  options.carry = true;
  options.accumulate = 2;
  resume_equals_uncut(options);
}

TEST(Trainer, ResumedIsTheUncutRunInBf16) {
  TrainOptions options = short_run();
  options.precision = "bf16";
  resume_equals_uncut(options);
}

TEST(Trainer, ResumedIsTheUncutRunWithDropout) {
  TrainOptions options = short_run();
  options.dropout = 0.2f;
  options.accumulate = 2;
  options.carry = true;
  resume_equals_uncut(options);
}

// The same batch at a rate that moves nothing: only what is dropped can change the loss, and held-out text is read
// without.
TEST(Trainer, EachBatchDropsAnewAndHeldOutTextNothing) {
  const Folder folder;
  TrainOptions options = short_run();
  options.lr = 1e-12f;
  options.evaluate_every = 1;
  std::vector<double> losses[3], held_out[3];  // without, with, and with two batches in a step
  for (const int run : {0, 1, 2}) {
    options.dropout = run == 0 ? 0.0f : 0.3f;
    options.accumulate = run == 2 ? 2 : 1;
    TrainingData data = data_for(options);
    data.batch = [batch = data.batch](int64_t) { return batch(0); };
    Model model = small_model();
    train(model, data, options, {.out = folder.path, .overwrite = true, .progress = [&](const TrainProgress& p) {
                                   losses[run].push_back(std::round(p.loss * 1e6));
                                   held_out[run].push_back(std::round(p.held_out * 1e6));
                                 }});
  }
  EXPECT_EQ(std::set<double>(losses[0].begin(), losses[0].end()).size(), 1u);
  EXPECT_EQ(std::set<double>(losses[1].begin(), losses[1].end()).size(), losses[1].size());
  EXPECT_NE(losses[2][0], losses[1][0]);  // the second batch of a step drops its own
  EXPECT_EQ(held_out[0], held_out[1]);
}

TEST(Trainer, WhatAKilledRunWroteBehindItsCheckpointIsTakenBack) {
  const Folder uncut, cut;
  const TrainOptions options = short_run();
  const std::string expected = weights_after(options, uncut.path);
  {
    Model model = small_model();
    int64_t steps = 0;
    TrainRun run{.out = cut.path, .checkpoint_seconds = 1000, .stop = [&] { return ++steps == 4; }};
    train(model, data_for(options), options, run);
  }
  std::ofstream(cut.path + "/metrics.jsonl", std::ios::app) << "{\"step\": 5, \"lo";
  std::ofstream(partial_path(cut.path + "/checkpoint/state.safetensors")) << "half";
  Model model = small_model();
  train(model, data_for(options), options, {.out = cut.path, .resume = true});
  EXPECT_TRUE(expected == bytes_of(cut.path + "/last/model.safetensors") + bytes_of(cut.path + "/model.safetensors"));
  EXPECT_EQ(bytes_of(cut.path + "/metrics.jsonl").find("\"lo{"), std::string::npos);
}

TEST(Trainer, ACheckpointWithoutTheLatestOptionGoesOn) {
  const Folder uncut, cut;
  const std::string expected = weights_after(short_run(), uncut.path);
  {
    Model model = small_model();
    int64_t steps = 0;
    train(model, data_for(short_run()), short_run(),
          {.out = cut.path, .checkpoint_seconds = 1000, .stop = [&] { return ++steps == 4; }});
  }
  const std::string path = checkpoint_path(cut.path);
  {
    const SafetensorsFile file = SafetensorsFile::open(path);
    std::map<std::string, std::string> metadata = file.metadata();
    auto written = parse_json(metadata.at("options"), "options");
    ASSERT_EQ(written.erase("dropout"), 1u);
    metadata["options"] = written.dump();
    write_with_checksum(path + ".old", test::FileTensors(file).views, metadata);
  }
  fs::rename(path + ".old", path);
  Model model = small_model();
  train(model, data_for(short_run()), short_run(), {.out = cut.path, .resume = true});
  EXPECT_TRUE(expected == bytes_of(cut.path + "/last/model.safetensors") + bytes_of(cut.path + "/model.safetensors"));
}

TEST(Trainer, MeasuringBeforeABudgetChangesNoBit) {
  const Folder a, b;
  TrainOptions options = short_run();
  const std::string expected = weights_after(options, a.path);
  options.budget = 60;  // with the steps given it only measures
  EXPECT_TRUE(expected == weights_after(options, b.path));
}

TEST(Trainer, ABudgetBecomesStepsThatAreStored) {
  const Folder folder;
  TrainOptions options = short_run();
  options.steps = 0;
  options.evaluate_every = 0;
  options.budget = 0.5;
  Model model = small_model();
  int64_t steps = 0;
  TrainRun run{.out = folder.path, .stop = [&] { return ++steps == 2; }};
  const int64_t chosen = train(model, data_for(options), options, run).options.steps;
  EXPECT_GE(chosen, 1);
  Model again = small_model();
  run = {.out = folder.path, .resume = true};
  EXPECT_EQ(train(again, data_for(options), options, run).options.steps, chosen);
}

TEST(Trainer, ABudgetIsLessByWhatGoesElsewhere) {
  const TrainOptions short_options = short_run();
  const TrainingData data = data_for(short_options);
  const auto steps = [&](double elsewhere, int64_t* final_bytes = nullptr) {
    TrainOptions options = short_options;
    options.steps = options.evaluate_bytes = options.final_bytes = 0;
    options.budget = 100;
    Forecast forecast{.step_seconds = 0.01, .held_out_seconds = 1, .final_seconds = 60};
    choose(options, forecast, data, 0, elsewhere);
    if (final_bytes) *final_bytes = options.final_bytes;
    return options.steps;
  };
  EXPECT_NEAR(static_cast<double>(steps(50)), static_cast<double>(steps(0)) / 2, 2);
  int64_t final_bytes = 0;
  EXPECT_EQ(steps(200, &final_bytes), 1);
  EXPECT_EQ(final_bytes, short_options.batch * short_options.length);
}

TEST(Trainer, TheSameWeightsForAnyNumberOfThreads) {
  const Folder one, two;
  TrainOptions options = short_run();
  options.dropout = 0.1f;
  EXPECT_TRUE(weights_after(options, one.path, 1) == weights_after(options, two.path, 2));
}

// A run with activation checkpointing needs its memory for nothing else than steps.
TEST(Trainer, AnEvaluationKeepsActivationsNoLongerThanAStepDoes) {
  TrainOptions options = short_run();
  options.length = 64;
  const Model model = small_model("m8");
  double bits[2], bytes[2];
  for (const bool checkpoint : {false, true}) {
    options.checkpoint_activations = checkpoint;
    Tape tape(model.device());
    bits[checkpoint] = measure_held_out(tape, model, data_for(options), options, 64).bits_per_byte;
    bytes[checkpoint] = static_cast<double>(tape.peak_bytes());
  }
  EXPECT_EQ(bits[0], bits[1]);
  EXPECT_LT(bytes[1], 0.5 * bytes[0]);
}

TEST(Trainer, Bf16IsAnotherRunThatEndsNearby) {
  const Folder out;
  TrainOptions options = short_run();
  const auto run = [&](const char* precision, const char* folder, int threads = 1) {
    options.precision = precision;
    Model model = small_model("m A", threads);
    const TrainResult result = train(model, data_for(options), options, {.out = out.path + folder});
    Tape fp32(model.device());  // as a session would run it
    EXPECT_EQ(
        result.held_out,
        measure_held_out(fp32, model, data_for(options), result.options, result.options.final_bytes).bits_per_byte)
        << precision;
    return std::pair(result, bytes_of(out.path + folder + "/last/model.safetensors"));
  };
  const auto [fp32, fp32_weights] = run("fp32", "/fp32");
  const auto [bf16, bf16_weights] = run("bf16", "/bf16");
  EXPECT_NE(fp32_weights, bf16_weights);
  EXPECT_NEAR(fp32.held_out, bf16.held_out, 0.05);
  EXPECT_TRUE(run("bf16", "/threads", 2).second == bf16_weights);
  const auto [chosen, chosen_weights] = run("auto", "/auto");
  EXPECT_TRUE(chosen_weights == (chosen.options.precision == "bf16" ? bf16_weights : fp32_weights))
      << chosen.options.precision;
  EXPECT_NE(chosen.options.precision, "auto");
  // the run's precision counts
  Model on_bf16(small_model().config(), Device::cpu({.threads = 1, .precision = Precision::bf16}));
  on_bf16.init(3);
  options.precision = "fp32";
  train(on_bf16, data_for(options), options, {.out = out.path + "/device"});
  EXPECT_TRUE(bytes_of(out.path + "/device/last/model.safetensors") == fp32_weights);
  options.precision = "auto";  // means what was taken
  Model again = small_model();
  EXPECT_EQ(train(again, data_for(options), options, {.out = out.path + "/bf16", .resume = true}).options.precision,
            "bf16");
  options.precision = "fp32";
  Model other = small_model();
  EXPECT_NE(error_of([&] { train(other, data_for(options), options, {.out = out.path + "/bf16", .resume = true}); },
                     ErrorCode::config),
            "");
}

TEST(Trainer, HeldOutBatchesAreTheMiddlesOfTheirStretches) {
  const Folder out;
  TrainOptions options = short_run();
  Model model = small_model("m A", 1);
  TrainingData data = data_for(options);
  std::vector<int64_t> asked;
  const auto batches = data.held_out;
  data.held_out = [&](int64_t i) {
    asked.push_back(i);
    return batches(0);
  };
  data.held_out_batches = 10;
  Tape tape(model.device());
  for (const int64_t count : {1, 3, 10})
    measure_held_out(tape, model, data, options, count * options.batch * options.length);
  EXPECT_EQ(asked, (std::vector<int64_t>{5, 1, 5, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Trainer, CheckpointedActivationsChangeNoBit) {
  const Folder a, b;
  TrainOptions options = short_run();
  options.dropout = 0.1f;
  const std::string expected = weights_after(options, a.path);
  options.checkpoint_activations = true;
  EXPECT_TRUE(expected == weights_after(options, b.path));
}

// A process whose container has no more is killed: what is needed is seen before it is taken.
TEST(Trainer, TooLittleMemoryIsSaidInTime) {
  const Folder folder;
  const std::string out = folder.path + "/out";
  TrainOptions options = short_run();
  options.length = 256;
  options.batch = 4;
  std::optional<Model> model = small_model();
  const double weights = model->weight_bytes();
  const auto refused = [&](double free, const TrainOptions& o) {
    const MemoryLimit limit(free);
    const std::string what = error_of([&] { train(*model, data_for(o), o, {.out = out}); }, ErrorCode::device);
    EXPECT_FALSE(fs::exists(out));
    return what;
  };
  {
    const MemoryLimit limit(1.9 * weights);
    EXPECT_EQ(error_of([] { small_model(); }, ErrorCode::device).rfind("the model with its gradients needs about ", 0),
              0u);
  }
  EXPECT_EQ(refused(1.9 * weights, options).rfind("AdamW, for two means of each gradient, needs about ", 0), 0u);
  const double batch = training_bytes(*model, data_for(options), options) - 4 * weights;
  ASSERT_GT(batch, 4 * 2.1 * weights);
  EXPECT_EQ(refused(0.9 * batch, options).rfind("a batch of 4 x 256 needs about ", 0), 0u);
  EXPECT_EQ(refused(0.15 * batch, options).rfind("a training sequence of 256 positions needs about ", 0), 0u);
}

TEST(Trainer, AStepTakesNothingFromTheHeap) {
  for (const auto& [carry, precision] : {std::pair(false, "fp32"), std::pair(true, "fp32"), std::pair(false, "bf16")}) {
    const Folder folder;
    TrainOptions options = short_run();
    options.evaluate_every = 100;
    options.carry = carry;
    options.precision = precision;
    options.dropout = carry ? 0.1f : 0.0f;
    std::vector<int64_t> calls(8);
    Model model = small_model("m A", 2);
    train(model, data_for(options), options,
          {.out = folder.path, .checkpoint_seconds = 1000, .progress = [&](const TrainProgress& p) {
             calls[static_cast<size_t>(p.step - 1)] = heap_calls + memory_calls();
           }});
    // after step 8 it measures and saves
    EXPECT_EQ(calls[6], calls[2]) << precision << (carry ? " with carried states" : "");
  }
}

TEST(Trainer, AccumulatedBatchesAreOneLargeBatch) {
  const Folder folder;
  TrainOptions large = short_run(), pieces = short_run();
  large.batch = 4;
  pieces.accumulate = 2;  // of 2
  weights_after(large, folder.path + "/a");
  weights_after(pieces, folder.path + "/b");
  const Model a = Model::load(folder.path + "/a/last"), b = Model::load(folder.path + "/b/last");
  double most = 0, norm = 0;
  for (size_t p = 0; p < a.parameters().size(); ++p)
    for (int64_t i = 0; i < a.parameters()[p]->elements(); ++i) {
      const double x = static_cast<double>(a.parameters()[p]->value.as<float>()[i]),
                   y = static_cast<double>(b.parameters()[p]->value.as<float>()[i]);
      most += (x - y) * (x - y);
      norm += x * x;
    }
  EXPECT_LT(std::sqrt(most / norm), 1e-3);
}

TEST(Trainer, ACheckpointOfAnotherRunIsRefused) {
  const Folder folder;
  const TrainOptions options = short_run();
  {
    Model model = small_model();
    train(model, data_for(options), options, {.out = folder.path, .stop = [] { return true; }});
  }
  const std::string before = bytes_of(checkpoint_path(folder.path));
  const TrainRun run{.out = folder.path, .resume = true};
  const auto refused = [&](const TrainOptions& o, uint64_t fingerprint, Model&& model) {
    return error_of([&] { train(model, data_for(o, fingerprint), o, run); }, ErrorCode::config);
  };
  TrainOptions other = options;
  other.lr = 1;
  EXPECT_NE(refused(other, 1, small_model()).find("lr"), std::string::npos);
  other = options;
  other.steps = 9;
  EXPECT_NE(refused(other, 1, small_model()).find("steps"), std::string::npos);
  EXPECT_NE(refused(options, 2, small_model()).find("other data"), std::string::npos);
  EXPECT_NE(refused(options, 1, small_model("m2 A")).find("another model"), std::string::npos);
  EXPECT_TRUE(before == bytes_of(checkpoint_path(folder.path)));
}

TEST(Trainer, ACheckpointFromBeforeAKeyOfTheConfigAndChecksumsGoesOn) {
  const Folder folder;
  const TrainOptions options = short_run();
  Model whole = small_model(), first = small_model();
  train(first, data_for(options), options, {.out = folder.path, .stop = [] { return true; }});
  const std::string path = checkpoint_path(folder.path);
  {
    const SafetensorsFile file = SafetensorsFile::open(path);
    std::map<std::string, std::string> metadata = file.metadata();
    auto config = parse_json(metadata.at("config"), "config");
    ASSERT_EQ(config.erase("norm_eps"), 1u);
    metadata["format"] = "statera checkpoint 1";
    metadata["config"] = config.dump();
    write_safetensors(path + ".old", test::FileTensors(file).views, metadata);
  }
  fs::rename(path + ".old", path);
  Model resumed = small_model();
  train(resumed, data_for(options), options, {.out = folder.path, .resume = true});
  train(whole, data_for(options), options, {.out = folder.path + "/whole"});
  EXPECT_TRUE(bytes_of(folder.path + "/last/model.safetensors") ==
              bytes_of(folder.path + "/whole/last/model.safetensors"));
}

TEST(Trainer, FilesThatItDidNotWriteStay) {
  const Folder foreign, own;
  const auto run = [&](const std::string& out) {
    Model model = small_model();
    train(model, data_for(short_run()), short_run(), {.out = out, .overwrite = true});
  };
  fs::create_directory(foreign.path + "/last");
  std::ofstream(foreign.path + "/last/thesis.txt") << "years";
  std::ofstream(foreign.path + "/config.json") << "{}";
  EXPECT_NE(error_of([&] { run(foreign.path); }, ErrorCode::io).find("config.json: was not written by statera"),
            std::string::npos);
  EXPECT_EQ(bytes_of(foreign.path + "/config.json") + bytes_of(foreign.path + "/last/thesis.txt"), "{}years");
  EXPECT_FALSE(fs::exists(foreign.path + "/statera.json") || fs::exists(foreign.path + "/checkpoint"));

  run(own.path);
  std::ofstream(own.path + "/last/thesis.txt") << "years";
  run(own.path);  // replaces the model
  remove_run(own.path);
  EXPECT_EQ(bytes_of(own.path + "/last/thesis.txt"), "years");
  fs::remove(own.path + "/last/thesis.txt");
  fs::remove(own.path + "/last");
  EXPECT_TRUE(fs::is_empty(own.path));  // all that it wrote is known to be its own
}

TEST(Trainer, AFolderFromBeforeThereWasAListGoesOn) {
  const Folder uncut, cut;
  const std::string expected = weights_after(short_run(), uncut.path);
  int64_t steps = 0;
  Model model = small_model();
  train(model, data_for(short_run()), short_run(),
        {.out = cut.path, .checkpoint_seconds = 1000, .stop = [&] { return ++steps == 2; }});
  for (const char* name : {"statera.json", "model.safetensors", "config.json"}) fs::remove(cut.path + "/" + name);
  Model again = small_model();
  train(again, data_for(short_run()), short_run(), {.out = cut.path, .resume = true});
  EXPECT_TRUE(bytes_of(cut.path + "/last/model.safetensors") == bytes_of(uncut.path + "/last/model.safetensors"));
}

TEST(Trainer, TwoRunsInOneFolderAreRefused) {
  const Folder folder;
  std::string second;
  Model model = small_model();
  train(model, data_for(short_run()), short_run(),
        {.out = folder.path, .progress = [&](const TrainProgress& p) {
           if (p.step != 2) return;
           for (const bool resume : {false, true})
             second += error_of(
                 [&] {
                   Model other = small_model();
                   train(other, data_for(short_run()), short_run(), {.out = folder.path, .resume = resume});
                 },
                 ErrorCode::io);
           second += error_of([&] { model.save(folder.path); }, ErrorCode::io);
         }});
  for (int i = 0; i < 3; ++i) {
    const size_t at = second.find(folder.path + ": process " + std::to_string(getpid()));
    ASSERT_NE(at, std::string::npos) << second;
    second.erase(at, folder.path.size());
  }
  const Folder alone;
  const std::string written =
      bytes_of(folder.path + "/last/model.safetensors") + bytes_of(folder.path + "/model.safetensors");
  EXPECT_TRUE(written == weights_after(short_run(), alone.path));
}

TEST(Trainer, OnAFullDiskTheLastCheckpointStays) {
  const Folder folder;
  const TrainOptions options = short_run();
  {
    Model model = small_model();
    train(model, data_for(options), options, {.out = folder.path, .stop = [] { return true; }});
  }
  const auto all = [&] {
    std::string bytes;
    for (const std::string& name : run_files().names) bytes += bytes_of(folder.path + "/" + name);
    return bytes;
  };
  const std::string before = bytes_of(checkpoint_path(folder.path)), before_all = all();
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{before.size() / 2, limit.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  std::string error;
  for (const bool resume : {true, false}) {
    Model model = small_model();
    error = error_of(
        [&] { train(model, data_for(options), options, {.out = folder.path, .resume = resume, .overwrite = !resume}); },
        ErrorCode::io);
    EXPECT_TRUE(before_all == all());
  }
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(error.find("state.safetensors"), std::string::npos) << error;
  EXPECT_TRUE(before == bytes_of(checkpoint_path(folder.path)));
  Model again = small_model();
  EXPECT_TRUE(train(again, data_for(options), options, {.out = folder.path, .resume = true}).finished);
}

// An untrained model costs about log(256) nats, over however many batches the step is spread.
TEST(Trainer, AnAccumulatedStepHasTheMeanLoss) {
  for (const int64_t accumulate : {1, 3}) {
    const Folder folder;
    Model model = small_model();
    TrainOptions options = short_run();
    options.steps = 1, options.accumulate = accumulate;
    EXPECT_NEAR(train(model, data_for(options), options, {.out = folder.path}).loss, std::log(256.0), 0.5)
        << accumulate;
  }
}

TEST(Trainer, NamesWhereTheFirstBadValueWasMade) {
  for (const bool checkpointed : {false, true}) {
    const Folder folder;
    Model model = small_model();
    for (Parameter* p : model.parameters())
      if (p->name.find("layers.1") != std::string::npos && p->shape.rank() == 2)
        p->value.as<float>()[5] = std::numeric_limits<float>::infinity();
    TrainOptions options = short_run();
    options.checkpoint_activations = checkpointed;
    const std::string error =
        error_of([&] { train(model, data_for(options), options, {.out = folder.path}); }, ErrorCode::numeric);
    EXPECT_NE(error.find("step 1"), std::string::npos) << error;
    EXPECT_NE(error.find("[matmul] layers.1"), std::string::npos) << error;
  }
}

TEST(Trainer, Bf16IsNotForDouble) {
  const Folder out;
  TrainOptions options = short_run();
  options.precision = "bf16";
  Model model(small_model().config(), Device::cpu({.threads = 1}), {.dtype = DType::f64});
  model.init(3);
  EXPECT_NE(
      error_of([&] { train(model, data_for(options), options, {.out = out.path}); }, ErrorCode::config).find("f64"),
      std::string::npos);
}

TEST(Trainer, RefusesImpossibleOptions) {
  const Folder folder;
  Model model = small_model();
  const auto refused = [&](auto change) {
    TrainOptions o = short_run();
    change(o);
    error_of([&] { train(model, data_for(short_run()), o, {.out = folder.path}); }, ErrorCode::config);
  };
  refused([](TrainOptions& o) { o.steps = 0; });
  refused([](TrainOptions& o) { o.steps = 0, o.budget = -1; });
  refused([](TrainOptions& o) { o.batch = 0; });
  refused([](TrainOptions& o) { o.accumulate = -1; });
  for (float rate : {-0.1f, 1.0f, std::nanf("")}) refused([=](TrainOptions& o) { o.dropout = rate; });
  refused([](TrainOptions& o) { o.schedule = "step"; });
  refused([](TrainOptions& o) { o.precision = "fp16"; });
}

}  // namespace
}  // namespace statera
