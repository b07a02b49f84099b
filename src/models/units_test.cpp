// A model over tokens carries its tokenizer.json.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "statera/model.hpp"
#include "support/any_mixer.hpp"
#include "support/error_of.hpp"
#include "support/pair_units.hpp"

namespace statera {
namespace {

using test::error_of;
using test::PairUnits;

std::shared_ptr<const Units> read_pairs(std::string file, const std::string&) {
  return std::make_shared<PairUnits>(std::move(file));
}

class ModelUnits : public testing::Test {
 protected:
  ModelUnits() { std::filesystem::remove_all(folder); }
  static Model token_model(const std::string& file = "{\"pairs\": 1}") {
    ModelConfig config = test::hybrid("m");
    config.vocab_size = PairUnits().size();
    Model model(config, Device::cpu({.threads = 1}));
    model.init(1);
    model.set_units(std::make_shared<PairUnits>(file));
    return model;
  }
  static Model byte_model() {
    Model model(test::hybrid("m"), Device::cpu({.threads = 1}));
    model.init(1);
    return model;
  }
  std::string folder = testing::TempDir() + "statera_model_units";
  std::string file = folder + "/tokenizer.json";
};

TEST_F(ModelUnits, ATokenizerIsSavedWithItsModelAndLoaded) {
  token_model().save(folder);
  const Model read = Model::load(folder, Device::cpu(), {.training = false, .tokenizer = read_pairs});
  EXPECT_EQ(read.units()->file(), "{\"pairs\": 1}");
  EXPECT_FALSE(read.reads_bytes());
  EXPECT_EQ(read.units()->encode("aa").ids, std::vector<int32_t>{PairUnits::first_pair});
}

TEST_F(ModelUnits, WithoutAReaderOfTokenizersTheModelReadsIdsOnly) {
  token_model().save(folder);
  const Model read = Model::load(folder);
  EXPECT_NE(error_of([&] { read.units()->encode("a"); }).find("nobody said what they mean"), std::string::npos);
  read.save(folder);  // the tokenizer stays, though nobody read it
  EXPECT_EQ(Model::load(folder, Device::cpu(), {.training = false, .tokenizer = read_pairs}).units()->file(),
            "{\"pairs\": 1}");
}

TEST_F(ModelUnits, AnotherTokenizerIsRefusedAndSoIsNone) {
  token_model().save(folder);
  std::ofstream(file) << "{\"pairs\": 2}";
  EXPECT_NE(error_of([&] { Model::load(folder); }).find("is not the tokenizer that the weights"), std::string::npos);
  std::filesystem::remove(file);
  EXPECT_NE(error_of([&] { Model::load(folder); }).find("tokenizer.json"), std::string::npos);
}

TEST_F(ModelUnits, AModelOverBytesLeavesNoTokenizerOfAnEarlierModel) {
  token_model().save(folder);
  byte_model().save(folder);
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_TRUE(Model::load(folder).reads_bytes());
  token_model().save(folder);
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(ModelUnits, ATokenizerOfAnotherSizeIsRefused) {
  Model model = byte_model();
  EXPECT_NE(error_of([&] { model.set_units(std::make_shared<PairUnits>()); }).find("pairs: has 283 ids"),
            std::string::npos);
  EXPECT_TRUE(model.reads_bytes());
}

TEST_F(ModelUnits, ACopySharesThem) {
  Model model = token_model();
  const Model copy = model;
  model.set_units(std::make_shared<PairUnits>("other"));
  EXPECT_EQ(copy.units()->file(), "other");
}

}  // namespace
}  // namespace statera
