// What a comparison takes from its database: rows that somebody changed are refused in one line, before anything is
// trained or written.
#include "lab/compare/compare.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "lab/compare/plan.hpp"
#include "lab/compare/store.hpp"
#include "statera/error.hpp"
#include "support/any_mixer.hpp"
#include "support/inner_model.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

class ComparedRows : public testing::Test {
 protected:
  ComparedRows() : folder((fs::temp_directory_path() / "statera_compare_XXXXXX").string()) {
    folder = mkdtemp(folder.data());
    out = run.out = folder + "/c";
    settings.lengths = "32";
    settings.batch = 2;
  }
  ~ComparedRows() override { fs::remove_all(folder); }

  static Json row() {
    const Calibration costs{.parameters = 1000,
                            .positions = 64,
                            .step_seconds = 0.01,
                            .step_flops = 1e6,
                            .evaluate_seconds = 0.01,
                            .prefill_seconds = 1e-5,
                            .longest_state_bytes = 1e4};
    return {{"config", parse_ordered_json(ModelConfig::load(test::any_preset(test::Keeps::fixed)).json(), "config")},
            {"where", "a preset"},
            {"layers", "m4"},
            {"length", 32},
            {"batch", 2},
            {"costs", parse_ordered_json(write_fields(costs), "costs")}};
  }

  // What comparing says of a database with this row; "" if it goes on to where it is stopped.
  std::string said(const std::string& name, const Json& value,
                   Amounts amounts = {.train = 1, .validation_bytes = 64, .judged_bytes = 4096},
                   bool with_amounts = true) {
    fs::remove_all(out);
    fs::create_directory(out);
    {
      Store store(out + "/compare.sqlite");
      store.keep_candidate(name, json_text(value));
      if (with_amounts) store.keep_fact("amounts", write_fields(amounts));
    }
    run.stop = [] { return true; };
    std::string line;
    try {
      compared();
    } catch (const Error& error) {
      line = error.what();
    }
    EXPECT_EQ(fs::exists(out + "/report.json"), line.empty()) << line;
    return line;
  }

  // A comparison of one candidate in which nothing has been trained. `train`: seconds per training.
  void prepare(const std::string& name, const Json& value, double train) const {
    fs::create_directory(out);
    Store store(out + "/compare.sqlite");
    store.keep_candidate(name, json_text(value));
    store.keep_fact("amounts", write_fields(Amounts{.train = train, .validation_bytes = 64, .judged_bytes = 4096}));
  }

  Json compared() const {
    std::string text;
    for (int i = 0; i < 20000; ++i) text += std::to_string(i) + ",";
    return compare(ByteSource::from_memory(std::vector<std::string>{text}), {}, settings, Device::cpu({.threads = 1}),
                   run);
  }

  std::string folder, out;
  CompareSettings settings;
  CompareRun run;
};

TEST_F(ComparedRows, AreReadIfTheyAreGood) { EXPECT_EQ(said("mamba2", row()), ""); }

TEST_F(ComparedRows, CandidatesWithoutAmountsAreDamage) {
  EXPECT_NE(said("m", row(), {}, false).find("compare.sqlite is damaged (it has candidates and no amounts)"),
            std::string::npos);
}

TEST_F(ComparedRows, ANameIsAFolderOfItsOwn) {
  for (const char* name : {"", ".", "..", "../../evil", "a/b", "/tmp/evil"})
    EXPECT_NE(said(name, row())
                  .find("compare.sqlite is damaged (a candidate is called '" + std::string(name) +
                        "', which is no name of a folder)"),
              std::string::npos)
        << name;
  EXPECT_NE(said(std::string(256, 'a'), row()).find("which is no name of a folder"), std::string::npos);
}

TEST_F(ComparedRows, NumbersAreWhatACalibrationGives) {
  const auto with = [](const char* key, const Json& value, bool cost = true) {
    Json changed = row();
    (cost ? changed["costs"] : changed)[key] = value;
    return changed;
  };
  for (const char* key : {"length", "batch"})
    for (const Json& value : {Json(0), Json(-3), Json(1.5), Json(nullptr), Json(int64_t{1} << 40)})
      EXPECT_NE(
          said("m", with(key, value, false)).find("'m' has " + std::string(key) + " " + value.dump() + ", expected "),
          std::string::npos)
          << value;
  for (const char* key : {"step_seconds", "step_flops", "evaluate_seconds", "prefill_seconds", "parameters"})
    for (const int value : {0, -1})
      EXPECT_NE(said("m", with(key, value)).find("'m' has " + std::string(key)), std::string::npos) << key;
  EXPECT_NE(said("m", with("step_seconds", "inf")).find("'m' has step_seconds"), std::string::npos);
  EXPECT_NE(said("m", with("positions", 65)).find("'m' has other positions"), std::string::npos);
  EXPECT_NE(said("m", with("longest_state_bytes", -1)).find("longest_state_bytes below 0"), std::string::npos);
  EXPECT_NE(said("m", row(), {.train = -1}).find("amounts: train is -1, expected 0 or more"), std::string::npos);
  EXPECT_NE(said("m", row(), {.judged_bytes = -1}).find("amounts: judged_bytes is -1"), std::string::npos);
}

// The priors of another version may choose another rate from the same trials. Seeds of one candidate must not differ in
// their rate.
TEST_F(ComparedRows, LaterSeedsTakeTheRateOfTheFirst) {
  const std::string name = "m";
  prepare(name, row(), 0.05);
  settings.seeds = 2;
  const auto rate = [&](const char* seed) {
    return Json::parse(*Store(out + "/compare.sqlite").trial(name, "train", seed)).at("lr").get<double>();
  };
  compared();
  const double first = rate("seed 1");
  EXPECT_EQ(rate("seed 2"), first);
  {
    Store store(out + "/compare.sqlite");  // trials that speak for a higher rate
    for (const auto& [lr, bits] : {std::pair(first, 1.0), {2 * first, 0.5}, {4 * first, 0.9}})
      store.keep_trial(name, "search", "lr " + std::to_string(lr),
                       json_text(Json{{"lr", lr}, {"bits_per_byte", bits}}));
  }
  fs::remove(out + "/models/" + name + "/seed-2/model.safetensors");  // so that it is trained again
  compared();
  EXPECT_EQ(rate("seed 2"), first);
  fs::remove(out + "/models/" + name + "/model.safetensors");
  compared();
  EXPECT_GT(rate("seed 1"), 1.1 * first);
}

// Later seeds are added to what is trained; fewer would leave out what is there.
TEST_F(ComparedRows, GetMoreSeedsWithoutTrainingAgain) {
  const std::string weights = out + "/models/m/model.safetensors";
  prepare("m", row(), 0.3);
  Store(out + "/compare.sqlite").keep_fact("settings", write_fields(settings));
  std::vector<std::string> warned;
  run.warn = [&](const std::string& line) { warned.push_back(line); };
  const auto run_it = [&](int64_t seeds) {
    settings.seeds = seeds;
    return compared().at("candidates").at(0);
  };
  const Json one = run_it(1);
  std::erase_if(warned, [](const std::string& line) { return line.find("seeds") == line.npos; });
  EXPECT_TRUE(warned.empty()) << warned.front();
  const auto written = fs::last_write_time(weights);
  const Json three = run_it(3);
  std::erase_if(warned, [](const std::string& line) { return line.find("seeds") == line.npos; });
  ASSERT_EQ(warned.size(), 1u);
  EXPECT_EQ(warned[0].find("more seeds than before, 3 in all: what is left takes about "), 0u) << warned[0];
  EXPECT_EQ(fs::last_write_time(weights), written);
  ASSERT_EQ(three["seeds"].size(), 3u);
  EXPECT_EQ(three["seeds"][0], one["seeds"][0]);
  EXPECT_NE(three["seeds"][1]["bits_per_byte"], three["seeds"][0]["bits_per_byte"]);
  EXPECT_EQ(run_it(3)["seeds"], three["seeds"]);
  EXPECT_EQ(saved_comparison(out)->settings.seeds, 3);
  try {
    run_it(2);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("holds a comparison with other settings (seeds"), std::string::npos)
        << error.what();
  }
}

// They stand beside the curve; a version that did not store them left them in the metrics.
TEST_F(ComparedRows, HaveWhatTheirInnerStacksRead) {
  STATERA_NEEDS({"hnet"});
  Json nested = row();
  nested["config"] = parse_ordered_json(
      ModelConfig::parse(test::with("f [ f ] f", R"([{"type": "hnet", "stack": {"d_model": 16}}])"), "x").json(), "x");
  prepare("h", nested, 0.3);
  const auto inner = [](const Json& report) { return report.at("candidates").at(0).value("inner", Json()); };
  const Json before = inner(compared());
  ASSERT_EQ(before.size(), 1u);
  EXPECT_GT(before[0]["ratio"], 1);
  const auto trained = [&] { return Json::parse(*Store(out + "/compare.sqlite").trial("h", "train", "seed 1")); };
  Json value = trained();
  const Json curve = value["curve"];
  for (Json& point : value["curve"]) EXPECT_EQ(point.erase("ratios"), 1u);
  Store(out + "/compare.sqlite").keep_trial("h", "train", "seed 1", json_text(value));
  EXPECT_EQ(inner(compared()), before);
  EXPECT_EQ(trained()["curve"], curve);
}

}  // namespace
}  // namespace statera
