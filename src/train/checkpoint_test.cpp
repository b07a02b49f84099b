// What a checkpoint must hold, and what becomes of one that was damaged.
#include "train/checkpoint.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <set>

#include "io/json.hpp"
#include "io/safetensors.hpp"
#include "statera/error.hpp"
#include "support/any_mixer.hpp"
#include "support/file_tensors.hpp"
#include "support/paths.hpp"
#include "train/checkpoint_fuzz.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;
using Metadata = std::map<std::string, std::string>;

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The fuzzer's run, stopped after its first step.
class Checkpoint : public testing::Test {
 protected:
  Checkpoint() : out((fs::temp_directory_path() / "statera_checkpoint_XXXXXX").string()) {
    out = mkdtemp(out.data());
    path = checkpoint_path(out);
  }
  ~Checkpoint() override { fs::remove_all(out); }
  void SetUp() override {
    STATERA_NEEDS(checkpoint_fuzz_mixers);
    stop_behind(1);
  }

  void stop_behind(int64_t steps) {
    Model model = checkpoint_fuzz_model();
    TrainRun run{.out = out, .overwrite = true, .forecast = false};
    run.stop = [&] { return --steps == 0; };
    train(model, checkpoint_fuzz_data(), checkpoint_fuzz_options(), run);
  }
  // What going on says; "" if it does.
  std::string resumed() const {
    Model model = checkpoint_fuzz_model();
    try {
      train(model, checkpoint_fuzz_data(), checkpoint_fuzz_options(), {.out = out, .resume = true, .forecast = false});
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "";
  }
  // Writes the file again with a change, whole and in either format.
  void rewrite(const std::function<void(Metadata&, std::vector<NamedView>&)>& change, bool checksum = true) const {
    Metadata metadata;
    {
      const SafetensorsFile file = SafetensorsFile::open(path);
      const test::FileTensors tensors(file);
      metadata = file.metadata();
      std::vector<NamedView> views = tensors.views;
      change(metadata, views);
      if (checksum)
        write_with_checksum(path + ".new", views, metadata);
      else
        write_safetensors(path + ".new", views, metadata);
    }
    fs::rename(path + ".new", path);
  }
  void put(const std::string& bytes) const { std::ofstream(path, std::ios::binary) << bytes; }

  std::string out, path;
};

bool has(const std::string& whole, const std::string& part) { return whole.find(part) != std::string::npos; }

TEST_F(Checkpoint, AFlippedBitIsSeen) {
  const std::string good = bytes_of(path);
  const auto opened = [&] {
    try {
      return saved_run(out).has_value();
    } catch (const Error& error) {
      // an element type that is not known
      EXPECT_TRUE(error.code() == ErrorCode::io || error.code() == ErrorCode::unsupported) << error.what();
      EXPECT_PRED2(has, error.what(), path);
      return false;
    }
  };
  ASSERT_TRUE(opened());
  for (size_t at = 0; at < good.size(); at += 61) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    put(bad);
    EXPECT_FALSE(opened()) << at;
  }
  std::string bad = good;
  bad[bad.size() - 1000] ^= 16;
  put(bad);
  EXPECT_PRED2(has, resumed(), "state.safetensors: the bytes do not have the checksum that the file holds");
  put("not a checkpoint at all");
  EXPECT_PRED2(has, resumed(), "state.safetensors");
  put(good);
  EXPECT_EQ(resumed(), "");
}

TEST_F(Checkpoint, ItsFormatSaysWhetherThereIsAChecksum) {
  rewrite([](Metadata&, auto&) {}, false);
  EXPECT_PRED2(has, resumed(), "'statera_checksum' is missing");
  rewrite([](Metadata& m, auto&) { m["format"] = "statera checkpoint 9"; });
  EXPECT_PRED2(has, resumed(), "format 'statera checkpoint 9', expected 'statera checkpoint 3'");
}

TEST_F(Checkpoint, ARunThatCannotBeIsRefused) {
  const std::string good = bytes_of(path);
  const auto refused = [&](const std::string& of, const std::string& key, const std::string& value) {
    put(good);
    rewrite([&](Metadata& metadata, auto&) {
      auto object = parse_ordered_json(metadata.at(of), of);
      ASSERT_TRUE(object.contains(key)) << key;
      object[key] = "the value";
      std::string text = object.dump();
      metadata[of] = text.replace(text.find("\"the value\""), 11, value);
    });
    EXPECT_PRED2(has, resumed(), key) << value;
  };
  const std::multimap<std::string, std::string> impossible = {
      {"step", "-1"},      {"step", "3"},       {"loss", "-1"},       {"loss", "\"inf\""},
      {"loss", "null"},    {"seconds", "-0.5"}, {"seconds", "1e300"}, {"seconds", "\"inf\""},
      {"best", "-1"},      {"best", "\"inf\""}, {"best", "\"-inf\""}, {"best", "\"nan\""},
      {"best_step", "-1"}, {"best_step", "2"},  {"best_step", "0"},   {"metrics_bytes", "-1"}};
  for (const auto& [key, value] : impossible) refused("run", key, value);
  refused("options", "warmup", "-4");
  refused("options", "evaluate_bytes", "-4");
  put(good);
  rewrite([](Metadata& metadata, auto&) {
    metadata["run"].replace(metadata["run"].find("\"loss\":"), 7, "\"loss\":NaN,\"x\":");
  });
  EXPECT_PRED2(has, resumed(), "no valid JSON");
}

TEST_F(Checkpoint, TensorsThatNoRunHasAreRefused) {
  const std::string good = bytes_of(path);
  std::set<std::string> names;
  {
    const SafetensorsFile file = SafetensorsFile::open(path);
    for (const FileTensor& tensor : file.tensors()) names.insert(tensor.name);
  }
  ASSERT_EQ(names.count("carried.layers.1.mixer.v"), 1u);  // growing
  const auto refused = [&](const std::string& name, const std::function<void(NamedView&)>& change) {
    put(good);
    rewrite([&](Metadata&, std::vector<NamedView>& views) {
      const auto found = std::find_if(views.begin(), views.end(), [&](const NamedView& v) { return v.name == name; });
      change(*found);
      if (found->view.empty()) views.erase(found);
    });
    EXPECT_PRED2(has, resumed(), name);
  };
  for (const std::string& name : names) {
    refused(name, [](NamedView& v) { v.view = View(v.view.data, DType::i32, v.view.shape); });
    refused(name, [](NamedView& v) { v.view = v.view.reshaped({v.view.elements(), 1}); });
    refused(name, [](NamedView& v) { v.view.as<float>()[0] = NAN; });
    if (name.starts_with("square.")) refused(name, [](NamedView& v) { v.view.as<float>()[0] = -1; });
    refused(name, [](NamedView& v) { v.view = View(); });
  }
  put(good);
  rewrite([](Metadata&, std::vector<NamedView>& views) { views.push_back({"carried.2.0", views[0].view}); });
  EXPECT_PRED2(has, resumed(), "tensors, expected");
}

// The fuzzer's first inputs were written by a version from before there was a checksum (format 1), which no change
// would have. That they resume is also the test of that format; tests/old has one of format 2.
TEST_F(Checkpoint, TheFuzzersFirstInputsAreGood) {
  for (const int64_t steps : {1, 2}) {
    const std::string file =
        test::source_path("tests/fuzz/checkpoint/behind-") + std::to_string(steps) + ".safetensors";
    put(bytes_of(file));
    EXPECT_EQ(SafetensorsFile::open(path).metadata().at("format"), "statera checkpoint 1");
    EXPECT_EQ(resumed(), "") << file;
  }
}

}  // namespace
}  // namespace statera
