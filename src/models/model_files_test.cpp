// The files of a model: what belongs together, what stays, and what is wrong with them.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "conformance/model_cases.hpp"
#include "io/safetensors.hpp"
#include "models/language_model.hpp"
#include "support/any_mixer.hpp"
#include "support/error_of.hpp"

namespace statera {
namespace {

using test::error_of;

std::string temporary(const std::string& name) {
  const std::string path = testing::TempDir() + "statera_model_" + name;
  std::filesystem::remove_all(path);
  return path;
}

TEST(ModelFiles, AComparisonNamesItsModels) {
  const std::string folder = temporary("comparison");
  std::filesystem::create_directories(folder + "/models/one");
  const auto error = [&] { return error_of([&] { Model::load(folder); }); };
  EXPECT_NE(error().find("is it a model's?"), std::string::npos) << error();
  std::ofstream(folder + "/compare.log") << "what was done";
  EXPECT_NE(error().find("name one of them: " + folder + "/models/..."), std::string::npos) << error();
  std::filesystem::create_directory_symlink("models/one", folder + "/winner");
  EXPECT_TRUE(error().ends_with("name one of them: " + folder + "/winner")) << error();
}

TEST(SavedModels, FilesOfOthersStay) {
  const std::string folder = temporary("foreign");
  Model model(ModelConfig::load(test::any_preset(test::Keeps::fixed)));
  model.init(1);
  const auto save = [&] { return error_of([&] { model.save(folder); }); };
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/config.json") << "{}";
  write_safetensors(folder + "/model.safetensors", {}, {{"format", "pt"}});
  EXPECT_NE(save().find("config.json: was not written by statera"), std::string::npos) << save();
  EXPECT_EQ(std::filesystem::file_size(folder + "/config.json"), 2u);
  std::filesystem::remove(folder + "/config.json");
  EXPECT_NE(save().find("model.safetensors: was not written by statera"), std::string::npos) << save();
  std::filesystem::remove(folder + "/model.safetensors");
  std::ofstream(folder + "/notes.txt") << "mine";
  EXPECT_EQ(save(), "");
  EXPECT_EQ(save(), "");
  EXPECT_NE(error_of([&] { model.save(folder, false); }).find(folder + " holds a model already (model.safetensors)"),
            std::string::npos);
  std::filesystem::remove(folder + "/statera.json");  // from before there was one
  EXPECT_EQ(save(), "");
  EXPECT_EQ(std::filesystem::file_size(folder + "/notes.txt"), 4u);
}

// Two that differ in a number alone have the same shapes, and each a config that is good.
TEST(ModelFiles, WeightsBelongToTheirConfig) {
  const auto saved = [](const std::string& name, double eps) {
    const std::string folder = temporary(name);
    ModelConfig config = ModelConfig::load(test::any_preset(test::Keeps::growing));
    config.norm_eps = eps;
    Model model(std::move(config));
    model.init(1);
    model.save(folder);
    return folder;
  };
  const std::string one = saved("one", 1e-5), other = saved("other", 1e-4);
  const auto text = [](const std::string& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  std::string config = text(one + "/config.json");
  std::erase(config, '\n');
  std::ofstream(one + "/config.json") << config;
  EXPECT_EQ(error_of([&] { Model::load(one); }), "");
  std::filesystem::copy_file(other + "/config.json", one + "/config.json",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_NE(error_of([&] {
              Model::load(one);
            }).find(one + "/config.json: is not the config that the weights beside it were saved with"),
            std::string::npos);
}

TEST(ModelFiles, BadOnesAreNamed) {
  const std::string folder = temporary("bad");
  const std::string preset = test::any_preset(test::Keeps::growing);
  Model model(ModelConfig::load(preset));
  model.init(1);
  model.save(folder);
  const auto load_error = [&] { return error_of([&] { Model::load(folder); }); };
  model.parameters()[3]->value.as<float>()[7] = std::nanf("");
  model.save(folder);
  EXPECT_NE(load_error().find(model.parameters()[3]->name), std::string::npos);
  EXPECT_NE(load_error().find("finite"), std::string::npos);
  model.init(1);
  model.save(folder);
  const auto change = [&](const auto& edit) {
    ModelConfig config = ModelConfig::load(preset);
    edit(config);
    std::ofstream(folder + "/config.json") << config.json();
  };
  const auto layers = static_cast<int>(modules_of(model).stack().blocks().size());
  change([&](ModelConfig& c) { c.layers = c.mixers.begin()->first + std::to_string(layers + 1); });
  EXPECT_NE(load_error().find("missing"), std::string::npos);
  change([&](ModelConfig& c) { c.layers = c.mixers.begin()->first + std::to_string(layers - 1); });
  EXPECT_NE(load_error().find("unexpected"), std::string::npos);
  change([](ModelConfig& c) { c.d_model *= 2; });
  EXPECT_NE(load_error().find("shape"), std::string::npos) << load_error();
  std::filesystem::remove(folder + "/model.safetensors");
  EXPECT_NE(load_error().find("model.safetensors"), std::string::npos);
  EXPECT_NE(error_of([] { Model::load("/nowhere"); }).find("/nowhere"), std::string::npos);
}

}  // namespace
}  // namespace statera
