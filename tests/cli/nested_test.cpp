// Models with an inner stack through the program: what training says, where text is cut, and a published model.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

using nlohmann::json;

class Nested : public Program {
 protected:
  Nested() {
    std::string text;
    for (int i = 0; i < 200; ++i) text += "line " + std::to_string(i * i % 97) + " of a text\n";
    write("text.txt", text);
    write("config.json", R"({"d_model": 16, "mixers": )" + test::two_mixers(16) + R"(, "layers": "m [ A ] m",
            "inner": [{"type": "hnet", "ratio": 4, "stack": {"d_model": 32, "mixers": {"A": )" +
                             test::any_mixer(test::Keeps::growing, 32) + R"(}}}]})");
  }
};

TEST_F(Nested, TrainsWritesScoresAndShowsItsSegments) {
  STATERA_NEEDS({"hnet"});
  const Ran trained =
      run("train text.txt --config config.json --steps 6 --length 32 --batch 2 --no-baselines --threads 1 --out m");
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.err.find("bytes per segment "), std::string::npos) << trained.err;
  std::istringstream lines(read("m/metrics.jsonl"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_GE(json::parse(line)["inner"][0]["bytes_per_segment"], 1) << line;
  EXPECT_EQ(count, 6);
  EXPECT_EQ(run("generate m --prompt line --max-bytes 20 --seed 1").code, 0);
  EXPECT_EQ(run("score m text.txt").code, 0);
  const Ran shown = run("segments m text.txt --max-bytes 50 --json");
  ASSERT_EQ(shown.code, 0) << shown.err;
  const json result = json::parse(shown.out);
  EXPECT_EQ(result["bytes"], 50);
  EXPECT_NE(shown.err.find("shows the first 50 B of "), std::string::npos) << shown.err;
  ASSERT_EQ(result["stages"].size(), 1u);
  EXPECT_EQ(result["stages"][0]["segments"][0]["begin"], 0);
  const std::string page = read("text-segments.html");
  EXPECT_NE(page.find("text.txt: segments</title>"), std::string::npos);
  write("mine", "kept");
  EXPECT_EQ(run("segments m text.txt --out mine").code, 1);
  EXPECT_EQ(read("mine"), "kept");
  ASSERT_EQ(run("segments m text.txt --max-bytes 50 --out mine --force").code, 0) << read("err.txt");
  EXPECT_EQ(read("mine"), page);
  // the page is no text to train on
  const Ran again = run("train . --config config.json --steps 1 --length 32 --batch 2 --no-baselines --out n");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.err.find("<!DOCTYPE"), std::string::npos);
  EXPECT_NE(again.err.find("left out"), std::string::npos) << again.err;
}

TEST_F(Nested, APublishedModelBecomesOneOfOurs) {
  STATERA_NEEDS({"hnet", "mamba2", "attention"});  // what its importer makes
  const std::string published = test::source_path("tests/golden/checkpoints/hnet");
  const Ran made = run("convert " + published + " --out h");
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_NE(made.out.find("self-test: passed, the logits differ from those of expected.safetensors by "),
            std::string::npos)
      << made.out;
  std::filesystem::copy(published, path("unchecked"));
  std::filesystem::permissions(path("unchecked"), std::filesystem::perms::owner_all);
  std::filesystem::remove(path("unchecked/expected.safetensors"));
  EXPECT_NE(run("convert unchecked --out u").out.find("so its logits are not checked"), std::string::npos);
  const Ran unread = run("generate " + published + " --prompt a");
  EXPECT_EQ(unread.code, 1);
  EXPECT_NE(unread.err.find("statera convert reads models of other projects"), std::string::npos) << unread.err;
  EXPECT_EQ(run("info h").code, 0);
  EXPECT_EQ(run("generate h --prompt abc --max-bytes 16 --temperature 0").code, 0);
  EXPECT_EQ(run("convert h --weights int8 --out h8").code, 0);
  EXPECT_EQ(run("generate h8 --prompt abc --max-bytes 16").code, 0);
  // It has no id for the beginning of a document, and learns one.
  const Ran trained = run("train text.txt --init h --steps 4 --length 32 --batch 2 --no-baselines --out further");
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.err.find("h has no id for the beginning of a document"), std::string::npos) << trained.err;
  EXPECT_EQ(run("train text.txt --out further --resume --no-baselines").code, 0) << read("err.txt");
  const Ran again = run("train text.txt --init further --steps 2 --length 32 --batch 2 --no-baselines --out last");
  EXPECT_EQ(again.err.find("has no id"), std::string::npos) << again.err;
  // not as it is published
  std::filesystem::create_directory(path("bad"));
  const auto fails_with = [&](const std::string& config, const char* part) {
    write("bad/config.json", config);
    const Ran ran = run("convert bad --out never");
    EXPECT_EQ(ran.code, 1);
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(path("never")));
  };
  std::ifstream file(published + "/config.json");
  json config = json::parse(file);
  json changed = config;
  changed["arch_layout"][0] = "x2";
  fails_with(changed.dump(), "arch_layout has 'x2'");
  changed = config;
  changed["rope_scaling"] = 2;
  fails_with(changed.dump(), "'rope_scaling' is not known");
  const auto refused = [&](const char* key, const json& list) {
    json bad = config;
    (bad["attn_cfg"].contains(key) ? bad["attn_cfg"] : bad)[key] = list;
    fails_with(bad.dump(), key);
  };
  refused("window_size", {15});
  refused("window_size", {15, 9, -1, -1});
  refused("window_size", {15, 9, 9223372036854775807});
  refused("window_size", {15, 9, 18446744073709551615u});
  refused("window_size", {15, 9, -2});
  refused("rotary_emb_dim", {16, 16, -4});
  refused("d_intermediate", {0, -100, 128});
  refused("num_heads", {2, 0, 2});
  refused("tie_embeddings", 1);
  fails_with(config.dump(), "model.safetensors");
  std::filesystem::copy(published + "/model.safetensors", path("bad/model.safetensors"));
  changed = config;
  changed["tie_embeddings"] = true;
  fails_with(changed.dump(), "lm_head.weight: differs from embeddings.weight");
  changed = config;
  changed["d_intermediate"][2] = 300;
  fails_with(changed.dump(), "fc1.weight: shape");
}

}  // namespace
}  // namespace statera
