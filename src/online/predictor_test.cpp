// Compressed data with a model: the same bits on every machine, whatever the model learns on the way.
#include "online/predictor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "conformance/model_cases.hpp"
#include "core/fingerprint.hpp"
#include "core/input_file.hpp"
#include "statera/error.hpp"
#include "statera/random.hpp"
#include "support/any_mixer.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

using Bytes = std::vector<uint8_t>;

// Weights from additions and products alone, since those of init() come from the C library's logarithms.
Model model(const ModelConfig& config, int threads = 1, KernelChoice kernels = KernelChoice::portable) {
  Model made(config, Device::cpu({.threads = threads, .kernels = kernels}));
  for (Parameter* p : made.parameters()) {
    const Random random(5, p->name);
    for (int64_t i = 0; i < p->shape.elements(); ++i)
      p->value.as<float>()[i] = static_cast<float>(random.uniform(static_cast<uint64_t>(i)) - 0.5) / 2;
    p->changed();
  }
  return made;
}

const OnlineOptions few{.lr = 0.003, .segment = 32, .window = 48, .replay = 1, .warmup = 2};

Bytes licence(size_t size) {
  const std::string text = InputFile::open(test::source_path("LICENSE")).text(1 << 20);
  return Bytes(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
}

Bytes compressed(const Bytes& data, Predictor& predictor) {
  Bytes out;
  Compressor compressor({.memory_bytes = int64_t{16} << 20, .predictor = &predictor},
                        [&](std::span<const uint8_t> b) { out.insert(out.end(), b.begin(), b.end()); });
  compressor.add(data);
  compressor.finish();
  return out;
}

Bytes decompressed(std::span<const uint8_t> bytes, const Model& with) {
  Decompressor decompressor(
      [&](std::span<uint8_t> to) {
        const size_t n = std::min(to.size(), bytes.size());
        std::copy_n(bytes.begin(), n, to.begin());
        bytes = bytes.subspan(n);
        return n;
      },
      {.name = "x", .predictor = [&](const std::string& description) {
         return std::make_unique<ModelPredictor>(with, description);
       }});
  Bytes all;
  for (auto block = decompressor.next(); !block.empty(); block = decompressor.next())
    all.insert(all.end(), block.begin(), block.end());
  return all;
}

class Predicting : public testing::TestWithParam<test::ModelCase> {};

TEST_P(Predicting, DataComeBackWithAnyNumberOfThreads) {
  const ModelConfig& config = GetParam().config;
  const Bytes data = licence(300);
  ModelPredictor one(model(config), few), several(model(config, 3), few);
  const Bytes packed = compressed(data, one);
  EXPECT_EQ(packed, compressed(data, several));
  EXPECT_EQ(decompressed(packed, model(config, 2)), data);
}

// Portable kernels have the bits of the plain loops, through all of a model and its training steps.
TEST_P(Predicting, ThePredictionsHaveTheBitsOfTheReference) {
  const ModelConfig& config = GetParam().config;
  OnlineModel portable(model(config), few), reference(model(config, 1, KernelChoice::reference), few);
  for (const uint8_t byte : licence(100)) {
    const auto a = portable.next(), b = reference.next();
    ASSERT_TRUE(std::ranges::equal(a, b));
    portable.read(byte), reference.read(byte);
  }
  EXPECT_EQ(portable.steps(), 3);
  EXPECT_EQ(portable.drift(), reference.drift());
}

INSTANTIATE_TEST_SUITE_P(Models, Predicting, testing::ValuesIn(test::model_cases()),
                         [](const auto& info) { return info.param.name; });

// One number for every machine, compiler and instruction set (./test --full also runs this on ARM).
void expect_compressed(const std::string& name, const std::string& fingerprint) {
  const std::vector<test::ModelCase> all = test::model_cases();
  const auto found = std::ranges::find(all, name, &test::ModelCase::name);
  ASSERT_NE(found, all.end()) << name;
  ModelPredictor predictor(model(found->config), few);
  EXPECT_EQ(fingerprint_text(mix_fingerprint(0, compressed(licence(300), predictor))), fingerprint);
}

TEST(SameEverywhere, OfAHybrid) {
  STATERA_NEEDS({"attention", "mamba2"});
  expect_compressed("tiny_hybrid", "1b539c43e3ea1f04");
}

TEST(SameEverywhere, OfASelectiveScan) {
  STATERA_NEEDS({"mamba1"});
  expect_compressed("tiny_mamba1", "5707a87deb17b50c");
}

TEST(SameEverywhere, OfRowsThatAreTrainedByThemselves) {
  STATERA_NEEDS({"ngram"});
  expect_compressed("ngram_sum", "74f1b5d61d7f14ee");
}

// The description leaves out what a table in predictor.cpp says, not the defaults of this program.
TEST(ModelPredictor, TheDescriptionIsAPartOfTheFormat) {
  const ModelConfig config = test::model_cases().front().config;
  const Model made = model(config);
  const std::string head = "{\"model\":\"" + fingerprint_text(made.fingerprint()) + "\"";
  const auto described = [&](const OnlineOptions& options) {
    return ModelPredictor(model(config), options).description();
  };
  OnlineOptions usual{.lr = 3e-4, .segment = 256, .window = 512, .replay = 0, .warmup = 16, .pull = 0, .seed = 0};
  usual.keep_bytes = int64_t{64} << 20;
  EXPECT_EQ(described(usual), head + "}");
  usual.window = 40, usual.lr = 0.5;
  EXPECT_EQ(described(usual), head + ",\"lr\":0.5,\"window\":40}");
}

TEST(ModelPredictor, AModelWithLearnedPositionsBeginsAnewAtTheirEnd) {
  const ModelConfig config =
      ModelConfig::parse(R"({"d_model": 16, "learned_positions": 64, "context": 64, "mixers": {"m": )" +
                             test::any_mixer(test::Keeps::fixed, 16) + R"(}, "layers": "m"})",
                         "short");
  const Bytes data = licence(200);
  ModelPredictor predictor(model(config), few);
  EXPECT_EQ(decompressed(compressed(data, predictor), model(config)), data);
}

TEST(ModelPredictor, StepsPredictAsAStreamDoes) {
  for (const test::ModelCase& c : test::model_cases()) {
    OnlineModel stepped(model(c.config), few), whole(model(c.config), few);
    std::vector<std::vector<float>> expected;
    const Bytes data = licence(70);
    whole.score(std::vector<int32_t>(data.begin(), data.end()),
                [&](size_t, std::span<const float> logits) { expected.emplace_back(logits.begin(), logits.end()); });
    for (size_t i = 0; i < data.size(); ++i) {
      const auto got = stepped.next();
      for (size_t k = 0; k < got.size(); ++k) ASSERT_NEAR(got[k], expected[i][k], 1e-3) << c.name << " byte " << i;
      stepped.read(data[i]);
    }
  }
}

TEST(ModelPredictor, RefusesAnotherModelAndOtherKernels) {
  const ModelConfig config = test::model_cases().front().config;
  ModelPredictor predictor(model(config), few);
  const Bytes packed = compressed(licence(50), predictor);
  Model other = model(config);
  other.parameters().front()->value.as<float>()[0] += 1;
  other.parameters().front()->changed();
  try {
    decompressed(packed, other);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::config);
    EXPECT_NE(std::string(error.what()).find(model_in(predictor.description())), std::string::npos) << error.what();
  }
  EXPECT_THROW(ModelPredictor(model(config, 1, KernelChoice::fast), few), Error);
  EXPECT_THROW(ModelPredictor(model(config), std::string("{}")), Error);
}

}  // namespace
}  // namespace statera
