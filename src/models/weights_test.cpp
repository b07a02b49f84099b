// Whole models with weights in 8 and 4 bits: made, saved, loaded, the same bits whatever the batch, and folders and
// uses that are wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/arena.hpp"
#include "io/safetensors.hpp"
#include "models/language_model.hpp"
#include "nn/bound_parameter.hpp"
#include "statera/model.hpp"
#include "support/any_mixer.hpp"
#include "support/error_of.hpp"
#include "support/file_tensors.hpp"
#include "support/preset.hpp"
#include "support/tolerance.hpp"

namespace statera::test {
namespace {

std::string temporary(const std::string& name) {
  const std::string path = testing::TempDir() + "statera_weights_" + name;
  std::filesystem::remove_all(path);
  return path;
}

Tokens tokens(int batch, int length) {
  Tokens t;
  t.offsets.push_back(0);
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < length; ++i) t.ids.push_back((i * 7 + b * 31 + i * i) % 256);
    t.offsets.push_back(static_cast<int32_t>(t.ids.size()));
    t.start.push_back(0);
  }
  return t;
}

std::vector<double> logits(const Model& model, const Tokens& t = tokens(1, 40)) {
  Tape tape(model.device());
  return to_doubles(tape.value(model.forward(tape, t)));
}

Model load(const std::string& folder, WeightFormat weights) {
  return Model::load(folder, Device::cpu({.threads = 2}), {.training = false, .weights = weights});
}

struct Kind {
  std::string preset;
  WeightFormat format;
};
class QuantisedModel : public testing::TestWithParam<Kind> {};

TEST_P(QuantisedModel, IsTheSameMadeLoadedAndSaved) {
  const auto& [preset, format] = GetParam();
  const std::string plain = temporary(preset + "_f32"), small = temporary(preset + "_small");
  Model trained(test::preset(preset), Device::cpu({.threads = 1}));
  trained.init(5);
  trained.save(plain);
  const Model loaded = load(plain, format);
  EXPECT_EQ(loaded.weights(), format);
  EXPECT_EQ(loaded.parameter_count(), trained.parameter_count());
  const std::vector<double> exact = logits(trained), expected = logits(loaded);
  EXPECT_NE(expected, exact);
  // nearer to the model than nothing is
  EXPECT_LT(relative_l2(expected, exact), relative_l2(std::vector<double>(exact.size()), exact));

  Model made(test::preset(preset), Device::cpu({.threads = 2}), {.training = false, .weights = format});
  made.init(5);
  EXPECT_EQ(logits(made), expected);

  loaded.save(small);
  EXPECT_EQ(Model::saved_weights(plain), WeightFormat::f32);
  EXPECT_EQ(Model::saved_weights(small), format);
  EXPECT_EQ(logits(load(small, format)), expected);
  EXPECT_EQ(logits(Model::load(small)), expected);
  const auto bytes = [](const std::string& folder) {
    return std::filesystem::file_size(folder + "/model.safetensors");
  };
  EXPECT_LT(bytes(small), bytes(plain) / 2);
  EXPECT_LT(loaded.weight_bytes(), trained.weight_bytes() / 2);
}

TEST_P(QuantisedModel, TheBatchAndTheCutChangeNoLogit) {
  const auto& [preset, format] = GetParam();
  Model model(test::preset(preset), Device::cpu({.threads = 2}), {.training = false, .weights = format});
  model.init(4);
  Arena scratch;
  const auto advance = [&](std::span<const int32_t> ids, const Rows& rows, std::span<State* const> states,
                           const View& logits) {
    AdvancePass pass{.exec = {pool_of(model.device()), scratch, KernelChoice::fast}, .states = states};
    modules_of(model).advance(pass, ids, rows, logits);
  };
  const Tokens prompts = tokens(3, 64);
  std::vector<State> states;
  for (int s = 0; s < 4; ++s) states.push_back(modules_of(model).new_state(DType::f32));
  const std::vector<State*> pointers = {&states[0], &states[1], &states[2]}, lone = {&states[3]};
  const Tensor together(DType::f32, {3, 256}), alone(DType::f32, {1, 256});
  advance(prompts.ids, {prompts.offsets, prompts.start}, pointers, together);
  const int32_t offsets[] = {0, 64};
  const int64_t start[] = {0};
  advance(std::span(prompts.ids).subspan(64, 64), {offsets, start}, lone, alone);
  EXPECT_TRUE(std::equal(alone.as<float>(), alone.as<float>() + 256, together.as<float>() + 256));
  // a row alone, and as one of three
  const int32_t next[] = {9, 9, 9}, rows[] = {0, 1, 2, 3};
  const int64_t at[] = {64, 64, 64};
  advance(next, {rows, at}, pointers, together);
  advance({next, 1}, {{rows, 2}, {at, 1}}, lone, alone);
  EXPECT_TRUE(std::equal(alone.as<float>(), alone.as<float>() + 256, together.as<float>() + 256));
}

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (const std::string& name : ModelConfig::presets())
    for (WeightFormat format : weight_formats)
      if (name.rfind("tiny", 0) == 0 && format != WeightFormat::f32) all.push_back({name, format});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Tiny, QuantisedModel, testing::ValuesIn(kinds()), [](const auto& info) {
  std::string name = info.param.preset + "_" + std::string(name_of(info.param.format));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(QuantisedOutput, IsInInt8InBothFormats) {
  for (bool tied : {true, false}) {
    ModelConfig config = ModelConfig::load(any_preset(Keeps::fixed));
    config.tied = tied;
    const std::string folder = temporary("output"), small = temporary("output_small");
    Model model(config);
    model.init(3);
    for (Parameter* p : model.parameters())
      if (format_for(*p, WeightFormat::int4) == WeightFormat::int4)
        fill_zero(p->value);  // so that the output alone makes a difference
    model.save(folder);
    const Model int4 = load(folder, WeightFormat::int4);
    EXPECT_EQ(logits(int4), logits(load(folder, WeightFormat::int8)));
    EXPECT_NE(logits(int4), logits(model));
    int4.save(small);
    EXPECT_EQ(logits(int4), logits(Model::load(small)));
    const SafetensorsFile file = SafetensorsFile::open(small + "/model.safetensors");
    EXPECT_EQ(file.at("embedding.weight").dtype, DType::f32);
    EXPECT_EQ(file.find("output.weight") != nullptr, !tied);
    if (const FileTensor* output = file.find("output.weight")) {
      EXPECT_EQ(output->dtype, DType::i8);
    }
  }
}

TEST(QuantisedUse, IsForInferenceInF32Alone) {
  const ModelConfig config = ModelConfig::load(any_preset(Keeps::fixed));
  const auto make = [&](ModelOptions options) {
    return error_of([&] { Model model(config, Device::best(), options); });
  };
  EXPECT_NE(make({.weights = WeightFormat::int8}).find("inference alone"), std::string::npos);
  EXPECT_NE(make({.dtype = DType::f64, .training = false, .weights = WeightFormat::int4}).find("not f64"),
            std::string::npos);
  EXPECT_EQ(make({.dtype = DType::f64, .weights = WeightFormat::f32}), "");

  const std::string folder = temporary("use");
  Model model(config, Device::best(), {.training = false, .weights = WeightFormat::int8});
  model.init(1);
  model.save(folder);
  for (ModelOptions options :
       {ModelOptions{.training = true}, ModelOptions{.training = false, .weights = WeightFormat::f32},
        ModelOptions{.training = false, .weights = WeightFormat::int4}}) {
    const std::string error = error_of([&] { Model::load(folder, Device::best(), options); });
    EXPECT_NE(error.find(folder), std::string::npos) << error;
    EXPECT_NE(error.find("weights in int8"), std::string::npos) << error;
  }
}

TEST(WeightFile, AFormatOfALaterVersionIsRefused) {
  const std::string folder = temporary("format"), path = folder + "/model.safetensors",
                    kept = folder + "/kept.safetensors";
  Model model(ModelConfig::load(any_preset(Keeps::fixed)));
  model.init(1);
  model.save(folder);
  std::filesystem::rename(path, kept);
  const FileTensors tensors(SafetensorsFile::open(kept));
  const auto with = [&](const std::string& format) {
    // else a named output is refused
    for (const std::string& name : {path, folder + "/statera.json"}) std::filesystem::remove(name);
    write_safetensors(path, tensors.views, {{"format", format}});
    return error_of([&] { Model::load(folder); });
  };
  for (const char* good : {"pt", "statera"}) EXPECT_EQ(with(good), "") << good;
  EXPECT_EQ(
      with("statera 99"),
      "format 'statera 99' is not known to this version of statera, which reads up to 'statera 2' (" + path + ")");
  EXPECT_NE(with("statera 2").find("'statera_checksum' is missing"), std::string::npos) << with("statera 2");
}

TEST(QuantisedFiles, BadOnesAreNamed) {
  const std::string folder = temporary("bad"), path = folder + "/model.safetensors";
  Model model(ModelConfig::load(any_preset(Keeps::fixed)), Device::best(),
              {.training = false, .weights = WeightFormat::int8});
  model.init(1);
  model.save(folder);
  const std::vector<Parameter*> all = model.parameters();
  const Parameter& p =
      **std::find_if(all.begin(), all.end(), [](const Parameter* q) { return store_of(*q) != nullptr; });
  const std::string values = p.name, scales = p.name + ".scales";
  const std::string good_path = folder + "/good.safetensors";
  std::filesystem::rename(path, good_path);
  const SafetensorsFile good = SafetensorsFile::open(good_path);

  // The good file with one thing changed; what loading it says.
  const auto with = [&](const std::string& weights, const std::string& name, const View* instead) {
    const FileTensors read(good);
    std::vector<NamedView> tensors;
    for (const NamedView& t : read.views)
      if (t.name != name)
        tensors.push_back(t);
      else if (instead)
        tensors.push_back({name, *instead});
    // else a named output is refused
    for (const std::string& name : {path, folder + "/statera.json"}) std::filesystem::remove(name);
    write_safetensors(path, tensors, {{"format", "statera"}, {"weights", weights}});
    return error_of([&] { Model::load(folder); });
  };
  const auto says = [](const std::string& error, const std::string& name, const std::string& what) {
    EXPECT_NE(error.find(name), std::string::npos) << error;
    EXPECT_NE(error.find(what), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  };
  EXPECT_EQ(with("int8", "", nullptr), "");
  says(with("int5", "", nullptr), path, "unknown weights 'int5'; known: f32, int8, int4");
  says(with("int4", "", nullptr), values, "");
  says(with("f32", "", nullptr), values, "i8");
  says(with("int8", scales, nullptr), scales, "missing");
  says(with("int8", values, nullptr), values + ":", "missing");
  const Shape shape = QuantisedMatrix::scales_shape(p.shape);
  const Tensor more_scales(DType::f32, {shape[0], shape[1] + 1}), doubles(DType::f64, shape),
      floats(DType::f32, p.shape), narrow(DType::i8, {p.shape[0], p.shape[1] - 1}), infinite(DType::f32, shape);
  copy(good.read(good.at(scales)), infinite);
  infinite.as<float>()[shape.elements() - 1] = std::numeric_limits<float>::infinity();
  const View views[] = {more_scales, doubles, floats, narrow, infinite};
  says(with("int8", scales, &views[0]), scales, "shape");
  says(with("int8", scales, &views[1]), scales, "dtype f64; expected f32");
  says(with("int8", values, &views[2]), values, "dtype f32; expected i8");
  says(with("int8", values, &views[3]), values, "shape");
  says(with("int8", scales, &views[4]), scales, "not finite");
}

}  // namespace
}  // namespace statera::test
