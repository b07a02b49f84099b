// Configs: read as they were written, and bad ones named.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "conformance/model_cases.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "io/written_by.hpp"
#include "models/language_model.hpp"
#include "support/any_mixer.hpp"
#include "support/error_of.hpp"
#include "support/inner_model.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

using test::error_of;
using test::lacking;

using test::model_of;
using test::with;

// Lists every key with the format_version that first had it.
struct KeyFormats : KeyVisitor {
  std::map<std::string, std::map<std::string, int64_t>> objects;
  std::string where;
  int64_t now = 1;
  void object(const std::string& name, int64_t since) override { where = name, now = since; }
  void since(int64_t format) override { now = format; }
  void add(const char* name) { objects[where][name] = now; }
  void field(const char* name, int64_t&, const char*) override { add(name); }
  void field(const char* name, double&, const char*) override { add(name); }
  void field(const char* name, float&, const char*) override { add(name); }
  void field(const char* name, bool&, const char*) override { add(name); }
  void field(const char* name, std::string&, const char*) override { add(name); }
  void nested(const char* name, const char*, const char*) override { add(name); }
};

// An older program refuses a newer config by its number, so each key that the older one lacks needs a later number.
// tests/golden/models/config_keys.json has the keys of a published format. Whoever adds a key or a type of mixer says
// since(N) before it, with N = newest_format, one more than before if that is still the stored number.
TEST(Config, AKeyThatAFormatLacksHasALaterNumber) {
  const auto stored =
      parse_json(read_json_file(test::source_path("tests/golden/models/config_keys.json")).text, "config_keys");
  const int64_t newest = stored["newest"];
  KeyFormats today;
  ModelConfig::visit_keys(today);
  ASSERT_GE(today.objects.at("config").size(), 10u);
  ASSERT_GE(ModelConfig::newest_format, newest);
  for (const auto& [object, keys] : today.objects) {
    for (const auto& [key, since] : keys) {
      const auto names = stored["keys"].value(object, std::vector<std::string>());
      const bool known = std::ranges::find(names, key) != names.end();
      EXPECT_EQ(since <= newest, known) << object << "." << key << ": format " << since;
      EXPECT_LE(since, ModelConfig::newest_format) << object << "." << key;
    }
  }
}

// The number that is written follows from the keys and types that are used, wherever they stand.
TEST(Config, TheWrittenNumberIsThatOfTheNewestKey) {
  STATERA_NEEDS({"ffn", "hnet"});
  const std::string small = R"("d_model": 8, "mixers": {"f": {"type": "ffn", "d_ff": 8}}, )";
  const auto format = [](const std::string& text) -> int64_t {
    return parse_json(ModelConfig::parse("{" + text + "}", "x").json(), "again")["format_version"];
  };
  const std::string old = R"("d_model": 8, "mixers": {"s": {"type": "swiglu", "d_ff": 8}}, "layers": "s")";
  EXPECT_EQ(format(old), 1);
  EXPECT_EQ(format(R"("format_version": 3, )" + old), 1);
  EXPECT_EQ(format(old + R"(, "mlp": {"type": "swiglu", "d_ff": 8})"), 1);
  EXPECT_EQ(format(old + R"(, "mlp": {"type": "ffn", "d_ff": 8})"), 2);
  EXPECT_EQ(format(old + R"(, "logit_scale": 2)"), 2);
  EXPECT_EQ(format(small + R"("layers": "f")"), 2);
  EXPECT_EQ(format(R"("d_model": 8, "layers": "b", "blocks": {"b": [{"name": "x", "mixer": {"type": "swiglu",
            "d_ff": 8}}]})"),
            2);
  EXPECT_EQ(format(small + R"("layers": "f [ f ] f", "inner": [{"type": "hnet", "ratio": 3}])"), 3);
}

TEST(Config, ReadsWhatItWrites) {
  for (const std::string& name : ModelConfig::presets()) {
    const ModelConfig config = ModelConfig::load(name);
    EXPECT_EQ(ModelConfig::parse(config.json(), "again").json(), config.json()) << name;
  }
}

TEST(Config, ASublayerMayHaveAScaleOfTheLearningRate) {
  const Model model(ModelConfig::parse(R"({"d_model": 8, "layers": "b", "blocks": {"b": [
    {"name": "slow", "lr_scale": 0.25, "mixer": {"type": "swiglu", "d_ff": 8}}, {"name": "usual",
        "mixer": {"type": "swiglu", "d_ff": 8}}]}})",
                                       "test"));
  int64_t slow = 0;
  for (const Parameter* p : model.parameters()) {
    const bool of_slow = p->name.find(".slow") != std::string::npos;
    EXPECT_EQ(p->lr_scale, of_slow ? 0.25 : 1) << p->name;
    slow += of_slow;
  }
  EXPECT_EQ(slow, 3);  // its norm, gate_up and down
}

// A folder that lost its list is known by such files (io/written_by.hpp), whichever form its layers have.
TEST(Config, WhatIsWrittenSaysItIsOurs) {
  const std::string folder = testing::TempDir() + "statera_config_of_ours", path = folder + "/config.json";
  std::filesystem::create_directories(folder);
  const auto ours = [&](const std::string& text) {
    std::ofstream(path) << text;
    return says_it_is_ours(path);
  };
  for (const std::string& name : ModelConfig::presets()) EXPECT_TRUE(ours(ModelConfig::load(name).json())) << name;
  for (const test::ModelCase& c : test::model_cases()) EXPECT_TRUE(ours(c.config.json())) << c.name;
  EXPECT_FALSE(ours("{\"d_model\": 8}"));
  std::filesystem::remove_all(folder);
}

TEST(Config, BadOnesAreNamed) {
  const auto message = [](const std::string& json) {
    return error_of([&] { LanguageModel model(ModelConfig::parse(json, "x.json")); });
  };
  const std::string mixers = R"("mixers": {"A": {"type": "swiglu", "d_ff": 8}})";
  EXPECT_NE(message("{\"d_modle\": 8, " + mixers + ", \"layers\": \"A\"}").find("d_modle"), std::string::npos);
  EXPECT_NE(message("{\"d_model\": 8, " + mixers + ", \"layers\": \"B2\"}").find("'B'"), std::string::npos);
  EXPECT_NE(message("{\"d_model\": -8, " + mixers + ", \"layers\": \"A\"}").find("d_model"), std::string::npos);
  EXPECT_NE(message("{\"d_model\": 8, " + mixers + ", \"layers\": \"A999999999999\"}").find("layers"),
            std::string::npos);
  EXPECT_NE(message(R"({"d_model": 8, "mixers": {"A": {"type": "magic"}}, "layers": "A"})").find("magic"),
            std::string::npos);
  EXPECT_NE(message("{\"d_model\": 8, \"residual_init\": \"small\", " + mixers + ", \"layers\": \"A\"}")
                .find("residual_init is 'small'"),
            std::string::npos);
  EXPECT_NE(message("{").size(), 0u);
  EXPECT_NE(message(std::string(100000, '[')).size(), 0u);
  EXPECT_NE(error_of([&] {
              Model model(ModelConfig::parse(
                  R"({"d_model": 1048576, "mixers": {"A": {"type": "swiglu", "d_ff": 1048576}}, "layers": "A64"})",
                  "x.json"));
            }).find("GB"),
            std::string::npos);
}

TEST(InnerStacks, BracketsAreOneLayer) {
  EXPECT_EQ(layer_names("m2 [ A [ B ] A ]m"), (std::vector<std::string>{"m", "m", "[ A [ B ] A ]", "m"}));
  for (const char* bad : {"m [ A", "m ] A", "m [ A ] ]", "m [ A ]2"})
    EXPECT_NE(error_of([&] { layer_names(bad); }).find("layers '"), std::string::npos) << bad;
}

TEST(InnerStacks, ConfigsReadWhatTheyWrite) {
  STATERA_NEEDS({"hnet"});
  const ModelConfig config = ModelConfig::parse(with("f [ f ] f", R"([{"type": "hnet", "ratio": 3}])"), "x.json");
  EXPECT_EQ(parse_json(config.json(), "again")["format_version"], 3);
  EXPECT_EQ(ModelConfig::parse(config.json(), "again").json(), config.json());
  EXPECT_EQ(config.layer_mixers().size(), 3u);
}

TEST(InnerStacks, BadConfigsAreNamed) {
  STATERA_NEEDS({"hnet"});
  const auto message = [](const std::string& layers, const std::string& inner, const std::string& more = "") {
    return error_of([&] { model_of(with(layers, inner, more)); });
  };
  EXPECT_NE(message("f [ f ] f", "[]").find("deeper than \"inner\""), std::string::npos);
  EXPECT_NE(message("f [ f [ f ] ] f", R"([{"type": "hnet"}])").find("deeper than \"inner\""), std::string::npos);
  EXPECT_NE(message("f", R"([{"type": "hnet"}])").find("more entries"), std::string::npos);
  EXPECT_NE(message("f [ f ] f", R"([{"type": "hnet"}, {"type": "hnet"}])").find("more entries"), std::string::npos);
  EXPECT_NE(message("f [ f ] f", R"({"type": "hnet"})").find("not a list"), std::string::npos);
  for (const char* stack : {R"("norm": {})", R"("mixers": 5)", R"("blocks": 5)", R"("shared": [])", R"("layers": 5)",
                            R"("mlp": 5)", R"("d_model": "x")", R"("norm_eps": {})"}) {
    const std::string said = message("f [ f ] f", std::string(R"([{"type": "hnet", "stack": {)") + stack + "}}]");
    EXPECT_NE(said, "") << stack;
    EXPECT_EQ(said.find("json.exception"), std::string::npos) << said;
  }
  EXPECT_NE(message("f [ f ] f", R"([{"type": "hnet", "stack": 5}])").find("stack is not an object"),
            std::string::npos);
  EXPECT_NE(message("f [ f [ f ] ] f", R"([{"type": "hnet"}, {"type": "hnet", "router": "spaces"}])")
                .find("only the outermost stack"),
            std::string::npos);
  // the layers of all stacks count together, also where one mixer with a stack stands in many layers
  EXPECT_NE(message("[ f4096 ] [ f4096 ]", R"([{"type": "hnet"}])").find("more than 4096 layers in all"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              model_of(R"({"d_model": 8, "layers": "s64", "mixers": {"f": {"type": "ffn", "d_ff": 4}, "s":
                {"type": "hnet", "stack": {"layers": "f64", "mixers": {"f": {"type": "ffn", "d_ff": 4}}}}}})");
            }).find("more than 4096 layers in all"),
            std::string::npos);
  std::string deep = R"([{"type": "hnet"})";
  for (int i = 0; i < 8; ++i) deep += R"(, {"type": "hnet"})";
  EXPECT_NE(message("f", deep + "]").find("at most 8 entries"), std::string::npos);
  std::string wide;
  for (int i = 0; i < 4097; ++i) wide += "[ f ]";
  EXPECT_NE(message(wide, R"([{"type": "hnet"}])").find("more than 4096"), std::string::npos);
  EXPECT_NE(message("f [ f ] f", R"([{"ratio": 2}])").find("\"type\""), std::string::npos);
  EXPECT_NE(message("f [ g ] f", R"([{"type": "hnet"}])").find("'g'"), std::string::npos);
  EXPECT_NE(message("f [ f ] f", R"([{"type": "hnet", "stack": {"layers": "f"}}])").find("brackets"),
            std::string::npos);
  EXPECT_NE(message("f [ f ] f", R"([{"type": "hnet", "stack": {"tied": false}}])").find("'tied'"), std::string::npos);
  EXPECT_NE(message("f [ f ] f", R"([{"type": "hnet", "stack": {"d_model": 7}}])").find("d_model 7"),
            std::string::npos);
}

}  // namespace
}  // namespace statera
