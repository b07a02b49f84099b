// Whole models with a memory of n-grams: which rows it reads, in 8 and 4 bits too, bad configs, and a run that is cut
// before its first step.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>

#include "io/safetensors.hpp"
#include "models/language_model.hpp"
#include "support/any_mixer.hpp"
#include "support/file_tensors.hpp"
#include "support/small_run.hpp"
#include "statera/error.hpp"
#include "statera/session.hpp"

namespace statera {
namespace {

ModelConfig config(const std::string& ngram, const std::string& layers = "n") {
  return ModelConfig::parse(R"({"format_version": 2, "d_model": 8, "layers": ")" + layers +
                                R"(", "blocks": {"n": [{"name": "ngram", "norm": "none", "mixer": {"type": "ngram", )" +
                                ngram + "}}]}}",
                            "x.json");
}

Parameter& table(const Model& model) {
  for (Parameter* p : model.parameters())
    if (p->by_rows) return *p;
  throw Error(ErrorCode::config, "no table");
}

Model trained(const std::string& ngram) {
  Model model(config(ngram), Device::cpu({.threads = 1}));
  model.init(1);
  Parameter& p = table(model);
  for (int64_t i = 0; i < p.elements(); ++i) p.value.as<float>()[i] = static_cast<float>(std::sin(0.7 * double(i)));
  p.changed();
  return model;
}

std::vector<float> logits_after(const Model& model, const std::string& text) {
  Session session(model);
  const auto logits = session.prefill(text);
  return {logits.begin(), logits.end()};
}

TEST(NgramMemory, RemembersTheLastIdsAndNothingBefore) {
  STATERA_NEEDS({"ngram"});
  const Model model = trained(R"("order": 3, "rows": 4096)");
  EXPECT_EQ(logits_after(model, "a long beginning, xyz"), logits_after(model, "qqxyz"));
  EXPECT_NE(logits_after(model, "xyz"), logits_after(model, "wyz"));
  EXPECT_NE(logits_after(model, "xyz"), logits_after(model, "yxz"));  // the order counts
  EXPECT_NE(logits_after(model, "z"), logits_after(model, "yz"));     // and so does the beginning
}

TEST(NgramMemory, WithoutAWidthItStartsAsTheModelWithoutIt) {
  STATERA_NEEDS({"ngram"});
  Model model(config(R"("order": 4, "rows": 16)"), Device::cpu({.threads = 1}));
  model.init(1);
  const Parameter& p = table(model);
  EXPECT_EQ(p.shape, Shape({3 * 16, 8}));
  for (int64_t i = 0; i < p.elements(); ++i) EXPECT_EQ(p.value.as<float>()[i], 0);
  EXPECT_FALSE(p.decay);
}

TEST(NgramMemory, RefusesImpossibleConfigs) {
  STATERA_NEEDS({"ngram"});
  for (const char* bad :
       {R"("order": 1)", R"("order": 17)", R"("rows": 3)", R"("rows": 1)", R"("heads": 0)", R"("width": -1)",
        R"("lr_scale": -1)", R"("order": 16, "heads": 64, "rows": 1073741824)", R"("size": 1)"})
    EXPECT_THROW(Model(config(bad)), Error) << bad;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {  // |a - b| / |b|
  double off = 0, all = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    off += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    all += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(off / all);
}

constexpr const char* narrow_and_wide[] = {R"("order": 3, "rows": 4096)", R"("order": 3, "rows": 4096, "width": 33)",
                                           R"("order": 3, "rows": 4096, "width": 33, "gate": true)"};

// Its table is stored and read in int8 or int4: loaded and saved give the same logits, near those in f32.
TEST(NgramMemory, IsReadInFewerBits) {
  STATERA_NEEDS({"ngram"});
  const std::string text = "to be, or not to be";
  for (const char* ngram : narrow_and_wide) {
    const test::Folder folder;
    const std::string plain = folder.path + "/plain", made = folder.path + "/made", again = folder.path + "/again";
    const Model model = trained(ngram);
    model.save(plain);
    const std::vector<float> exact = logits_after(model, text);
    for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4}) {
      const Model small = Model::load(plain, Device::cpu({.threads = 2}), {.training = false, .weights = format});
      EXPECT_TRUE(table(small).value.empty());
      const std::vector<float> read = logits_after(small, text);
      EXPECT_NE(read, exact);
      EXPECT_LT(distance(read, exact), format == WeightFormat::int8 ? 0.02 : 0.2) << ngram;

      small.save(made, true);
      const Model loaded = Model::load(made);
      EXPECT_EQ(logits_after(loaded, text), read);
      loaded.save(again, true);
      EXPECT_EQ(logits_after(Model::load(again), text), read);

      // the batched face of training reads the same rows
      Tape tape(small.device());
      const Tokens tokens{
          .ids = {text.begin(), text.end()}, .offsets = {0, static_cast<int32_t>(text.size())}, .start = {0}};
      const View all = tape.value(small.forward(tape, tokens));
      EXPECT_TRUE(std::equal(read.begin(), read.end(), all.as<float>() + (all.rows() - 1) * all.cols()));
    }
  }
}

TEST(NgramMemory, ItsTableShrinksInMemoryAndOnDisk) {
  STATERA_NEEDS({"ngram"});
  for (const char* ngram : narrow_and_wide) {
    const test::Folder folder;
    const Model model = trained(ngram);
    model.save(folder.path + "/plain");
    for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4}) {
      const Model small = Model::load(folder.path + "/plain", Device::best(), {.training = false, .weights = format});
      small.save(folder.path + "/made", true);
      const Parameter& p = table(small);
      const SafetensorsFile file = SafetensorsFile::open(folder.path + "/made/model.safetensors");
      const int64_t width = p.shape[1];
      EXPECT_EQ(file.at(p.name).dtype, format == WeightFormat::int8 ? DType::i8 : DType::u8);
      EXPECT_EQ(file.at(p.name).shape, Shape({2 * 4096, format == WeightFormat::int8 ? width : (width + 1) / 2}));
      EXPECT_EQ(file.at(p.name + ".scales").shape, Shape({2 * 4096, (width + 31) / 32}));
      double stored = 0;
      for (const FileTensor& tensor : file.tensors()) stored += static_cast<double>(tensor.bytes());
      EXPECT_EQ(small.weight_bytes(), stored);
      EXPECT_LT(stored, model.weight_bytes() / 2);
    }
  }
}

TEST(NgramMemory, DamagedTablesInFewerBitsAreNamed) {
  STATERA_NEEDS({"ngram"});
  const test::Folder folder;
  const std::string made = folder.path + "/made", good = folder.path + "/good.safetensors",
                    path = made + "/model.safetensors";
  trained(R"("order": 3, "rows": 64)").save(folder.path + "/plain");
  Model::load(folder.path + "/plain", Device::best(), {.training = false, .weights = WeightFormat::int8}).save(made);
  std::filesystem::rename(path, good);
  const test::FileTensors tensors(SafetensorsFile::open(good));
  const auto with = [&](const std::string& ending, const View* instead) {
    std::vector<NamedView> views;
    for (const NamedView& t : tensors.views)
      if (!t.name.ends_with(ending))
        views.push_back(t);
      else if (instead)
        views.push_back({t.name, *instead});
    // else a named output is refused
    for (const std::string& name : {path, made + "/statera.json"}) std::filesystem::remove(name);
    write_safetensors(path, views, {{"format", "statera"}, {"weights", "int8"}});
    const std::string error = error_of([&] { Model::load(made); });
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    return error;
  };
  const Tensor infinite(DType::f32, {2 * 64, 1}), more(DType::f32, {2 * 64, 2}), floats(DType::f32, {2 * 64, 8});
  infinite.as<float>()[127] = std::numeric_limits<float>::infinity();
  const View views[] = {infinite, more, floats};
  EXPECT_EQ(with(".none", nullptr), "");
  EXPECT_NE(with(".table.scales", nullptr).find(".table.scales: missing"), std::string::npos);
  EXPECT_NE(with(".table", nullptr).find(".table: missing"), std::string::npos);
  EXPECT_NE(with(".table.scales", &views[0]).find("not finite"), std::string::npos);
  EXPECT_NE(with(".table.scales", &views[1]).find(".table.scales: shape"), std::string::npos);
  EXPECT_NE(with(".table", &views[2]).find(".table: dtype f32; expected i8"), std::string::npos);
}

// With a budget, the forecast makes a step and undoes it, in the rows that it touched too: a checkpoint from before the
// first step can be resumed.
TEST(NgramMemory, ARunThatEndsInItsFirstStepGoesOn) {
  STATERA_NEEDS({"ngram"});
  const test::Folder folder;
  TrainOptions options = test::short_run();
  options.steps = 0;
  options.budget = 0.5;
  const auto run = [&](bool resume, bool ends) {
    Model model(config(R"("order": 3, "rows": 64)"), Device::cpu({.threads = 1}));
    model.init(1);
    TrainRun how{.out = folder.path + "/m", .resume = resume};
    if (ends) how.progress = [](const TrainProgress&) { throw std::runtime_error("killed"); };
    return train(model, test::data_for(options), options, how);
  };
  EXPECT_THROW(run(false, true), std::runtime_error);
  EXPECT_TRUE(run(true, false).finished);
}

}  // namespace
}  // namespace statera
