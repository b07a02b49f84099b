// Nothing that is written or read depends on the locale of the host program: the same work in "C" and in locales of a
// comma, of a point of two bytes, and of groups of three digits gives the same texts and files.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <locale>
#include <map>
#include <sstream>

#include "core/check.hpp"
#include "core/machine.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "lab/baselines.hpp"
#include "lab/report/report.hpp"
#include "lab/report/table.hpp"
#include "lab/training_data.hpp"
#include "report/report_fixture.hpp"
#include "statera/config.hpp"
#include "statera/sampler.hpp"
#include "statera/session.hpp"
#include "statera/train.hpp"
#include "support/any_mixer.hpp"
#include "text/number.hpp"
#include "text/quantity.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;
using Texts = std::map<std::string, std::string>;

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Locales : public ::testing::Test {
 protected:
  Locales() {
    std::string name = (fs::temp_directory_path() / "statera_locale_XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~Locales() override {
    std::locale::global(std::locale::classic());
    fs::remove_all(folder_);
  }
  // Makes a locale of the distribution's sources (the package `locales`) and makes it that of C and C++.
  void choose(const std::string& language) const {
    const std::string name = language + ".UTF-8", made = "localedef -i " + language + " -f UTF-8 " + folder_ + "/" +
                                                         name + " >" + folder_ + "/log 2>&1";
    ASSERT_EQ(std::system(made.c_str()), 0)
        << "localedef cannot make " << name << "; is the package `locales` installed?\n"
        << read(folder_ + "/log");
    setenv("LOCPATH", folder_.c_str(), 1);
    std::locale::global(std::locale(name));
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", 0.5);
    ASSERT_STRNE(text, "0.5") << name << " is not in force";
  }
  std::string folder_;
};

std::string config_text() {
  return R"({"d_model": 16, "norm_eps": 0.00025, "embedding_scale": 1.5, "mixers": {"m": )" +
         test::any_mixer(test::Keeps::fixed, 16) + R"(}, "layers": "m"})";
}

void add_numbers(Texts& all) {
  all["numbers"] = fixed(1234567.125, 2) + significant(1234567.125, 9) + scientific(0.000125, 3) +
                   number_text(rounded(0.0123456, 3));
  all["quantities"] = bytes_text(1.5e9) + count_text(1234567) + seconds_text(3725.5) + number_text(0.0025);
  try {
    fail(ErrorCode::config, 1234567, " and ", 1234.5);
  } catch (const Error& error) {
    all["error"] = error.what();
  }
}

void add_run(const std::string& out, Texts& all) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "line " + std::to_string(i * i % 91) + "\n";
  const auto [for_training, held_out] = ByteSource::from_memory({{text}}).split();
  TrainOptions options{.steps = 4,
                       .batch = 2,
                       .length = 32,
                       .lr = 0.0125f,
                       .dropout = 0.125f,
                       .evaluate_every = 2,
                       .evaluate_bytes = 256,
                       .final_bytes = 256};
  Model model(ModelConfig::parse(config_text(), "test"), Device::cpu({.threads = 1}));
  model.init(1);
  std::string notes;
  TrainRun run{.out = out};
  run.note = [&](const std::string& line) { notes += line.substr(0, line.find(" of memory")) + "\n"; };
  train(model, BatchTraining(for_training, held_out, options).data(), options, run);
  all["notes"] = notes.find(',') == std::string::npos ? "no comma" : notes;
  std::istringstream lines(read(out + "/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    nlohmann::json parsed = parse_json(line, "metrics.jsonl");
    parsed.erase("seconds");
    all["metrics"] += parsed.dump() + "\n";
  }
  EXPECT_NE(all["metrics"].find("\"loss\":5."), std::string::npos) << all["metrics"];
  all["config.json"] = read(out + "/config.json");
  all["weights"] = std::to_string(std::hash<std::string>()(read(out + "/model.safetensors")));

  const std::optional<SavedRun> saved = saved_run(out);
  ASSERT_TRUE(saved.has_value());
  all["checkpoint"] = write_fields(saved->options) + saved->config;
  const Model loaded = Model::load(out, Device::cpu({.threads = 1}));
  all["text"] =
      generate(loaded, "line",
               {.max_bytes = 50, .temperature = 0.75f, .seed = 1, .raw = true, .warn = [](const std::string&) {}});
  Session session(loaded);
  session.prefill("line");
  session.snapshot().save(out + "/snapshot");
  all["position"] = std::to_string(Snapshot::load(out + "/snapshot", loaded).position());
  for (const Baseline& row : baselines(for_training, held_out).rows)
    all["baselines"] += row.name + number_text(row.bits_per_byte.value_or(0));
}

void add_system(const std::string& root, Texts& all) {
  fs::create_directories(root + "/proc/self");
  fs::create_directories(root + "/groups");
  std::ofstream(root + "/proc/meminfo") << "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n";
  std::ofstream(root + "/proc/self/mountinfo") << "30 21 0:26 / /groups rw - cgroup2 cgroup2 rw\n";
  std::ofstream(root + "/proc/self/cgroup") << "0::/\n";
  std::ofstream(root + "/groups/memory.max") << "2500000000\n";
  all["memory"] = number_text(usable_memory_bytes(root)) + " " + number_text(free_memory_bytes(root));
}

Texts everything(const std::string& folder) {
  Texts all;
  add_numbers(all);
  add_run(folder + "/run", all);
  add_system(folder + "/system", all);
  const nlohmann::ordered_json report = parse_report(fixture_text(), "the fixture");
  all["report"] = report.dump();
  all["table"] = report_table(report) + report_sentences(report);
  all["config"] = ModelConfig::parse(config_text(), "test").json();
  fs::remove_all(folder + "/run");
  fs::remove_all(folder + "/system");
  return all;
}

TEST_F(Locales, ChangeNothing) {
  const Texts expected = everything(folder_);
  EXPECT_NE(expected.at("config").find("0.00025"), std::string::npos) << expected.at("config");
  for (const char* language : {"de_DE", "ps_AF", "pl_PL"}) {
    ASSERT_NO_FATAL_FAILURE(choose(language));
    const Texts here = everything(folder_);
    ASSERT_EQ(here.size(), expected.size());
    for (const auto& [name, text] : expected) EXPECT_EQ(here.at(name), text) << name << " in " << language;
  }
}

}  // namespace
}  // namespace statera
