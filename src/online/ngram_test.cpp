// Whole models with a memory of n-grams: which rows it reads, in 8 and 4 bits too, bad configs, and a run that is cut
// before its first step.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>

#include "io/safetensors.hpp"
#include "models/language_model.hpp"
#include "nn/bound_parameter.hpp"
#include "support/any_mixer.hpp"
#include "support/file_tensors.hpp"
#include "support/memory_limit.hpp"
#include "support/small_run.hpp"
#include "statera/error.hpp"
#include "statera/session.hpp"

namespace statera {
namespace {

using test::error_of;

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

constexpr const char* narrow_and_wide[] = {R"("order": 3, "rows": 4096)", R"("order": 3, "rows": 4096, "width": 33)",
                                           R"("order": 3, "rows": 4096, "width": 33, "gate": true)"};

// Number [row, c] of a matrix in int8 or int4, as quantised.md has it.
float number(const QuantisedMatrix& m, int64_t row, int64_t c) {
  const float scale = m.scales.as<float>()[row * m.scales.cols() + c / quantised_block];
  if (m.format == WeightFormat::int8)
    return scale * static_cast<float>(m.values.as<int8_t>()[row * m.values.cols() + c]);
  const int byte = m.values.as<uint8_t>()[row * m.values.cols() + c / 2];
  return scale * static_cast<float>((c % 2 ? byte >> 4 : byte & 15) - 8);
}

// With nothing but its table in int8 or int4, a model has the bits of one whose table holds value times scale in f32,
// and no number is further from the trained one than rounding to its scale allows.
TEST(NgramMemory, ReadsValueTimesScale) {
  STATERA_NEEDS({"ngram"});
  const std::string text = "to be, or not to be";
  for (const char* ngram : narrow_and_wide)
    for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4}) {
      const Model small = trained(ngram), floats = trained(ngram);
      const std::vector<float> exact = logits_after(floats, text);
      Parameter& p = table(floats);
      QuantisedStore& store = *store_of(table(small));
      store.quantise(pool_of(small.device()), p.value, format);
      std::vector<Tensor> made;
      const QuantisedMatrix m = store.saved(made);
      for (int64_t row = 0; row < p.shape[0]; ++row)
        for (int64_t c = 0; c < p.shape[1]; ++c) {
          const double scale = static_cast<double>(m.scales.as<float>()[row * m.scales.cols() + c / quantised_block]),
                       // int4 reaches -8, but only +7; four roundings in float, of numbers up to 127 scales
              allowed = (format == WeightFormat::int8 ? 0.5 : 1) +
                        127 * 2 * static_cast<double>(std::numeric_limits<float>::epsilon());
          float& x = p.value.as<float>()[row * p.shape[1] + c];
          const float read = number(m, row, c);
          ASSERT_LE(std::abs(static_cast<double>(read) - static_cast<double>(x)), allowed * std::abs(scale))
              << ngram << " " << name_of(format) << " " << row << ", " << c;
          x = read;
        }
      p.changed();
      EXPECT_EQ(logits_after(small, text), logits_after(floats, text)) << ngram << " " << name_of(format);
      EXPECT_NE(logits_after(small, text), exact);
    }
}

// Its table is stored and read in int8 or int4: loaded and saved give the same logits.
TEST(NgramMemory, IsReadInFewerBits) {
  STATERA_NEEDS({"ngram"});
  const std::string text = "to be, or not to be";
  for (const char* ngram : narrow_and_wide) {
    const test::Folder folder;
    const std::string plain = folder.path + "/plain", made = folder.path + "/made", again = folder.path + "/again";
    const Model model = trained(ngram);
    model.save(plain);
    for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4}) {
      const Model small = Model::load(plain, Device::cpu({.threads = 2}), {.training = false, .weights = format});
      EXPECT_TRUE(table(small).value.empty());
      const std::vector<float> read = logits_after(small, text);
      EXPECT_NE(read, logits_after(model, text));

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
  const Tensor infinite(DType::f32, {2 * 64, 1}), more(DType::f32, {2 * 64, 2}), floats(DType::f32, {2 * 64, 8});
  infinite.as<float>()[127] = std::numeric_limits<float>::infinity();
  const View views[] = {infinite, more, floats};
  for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4}) {
    const test::Folder folder;
    const std::string made = folder.path + "/made", good = folder.path + "/good.safetensors",
                      path = made + "/model.safetensors", weights(name_of(format));
    trained(R"("order": 3, "rows": 64)").save(folder.path + "/plain");
    Model::load(folder.path + "/plain", Device::best(), {.training = false, .weights = format}).save(made);
    std::filesystem::rename(path, good);
    const test::FileTensors tensors(SafetensorsFile::open(good));
    // what is said where the tensors with this ending are another one, or none, and those with `dropped` are left out
    const auto with = [&](const std::string& ending, const View* instead, const std::string& dropped = ".none") {
      std::vector<NamedView> views;
      for (const NamedView& t : tensors.views)
        if (!t.name.ends_with(ending) && !t.name.ends_with(dropped))
          views.push_back(t);
        else if (instead && !t.name.ends_with(dropped))
          views.push_back({t.name, *instead});
      // else a named output is refused
      for (const std::string& name : {path, made + "/statera.json"}) std::filesystem::remove(name);
      write_safetensors(path, views, {{"format", "statera"}, {"weights", weights}});
      const std::string error = error_of([&] { Model::load(made); });
      EXPECT_EQ(error.find('\n'), std::string::npos) << error;
      return error;
    };
    const auto says = [](const std::string& error, const std::string& what) {
      EXPECT_NE(error.find(what), std::string::npos) << error;
    };
    EXPECT_EQ(with(".none", nullptr), "");
    says(with(".table.scales", nullptr), ".table.scales: missing");
    says(with(".table", nullptr), ".table: missing");
    says(with(".table.scales", &views[0]), "not finite");
    says(with(".table.scales", &views[1]), ".table.scales: shape");
    says(with(".table", &views[2]), format == WeightFormat::int8 ? ".table: dtype f32; expected i8" : ".table: shape");
    // a folder of an earlier version
    says(with(".table", &views[2], ".table.scales"),
         path + ": layers.0.ngram.table: is in f32, as earlier versions stored it beside weights in " + weights +
             "; run `statera convert` again on the f32 folder that this one was made from");
  }
}

// A table is quantised from all of its floats, which may be far more than what is kept. Where there is no memory for
// both, one line says so before anything of it is read.
TEST(NgramMemory, TheFloatsOfItsTableNeedMemoryToo) {
  STATERA_NEEDS({"ngram"});
  const test::Folder folder;
  const std::string plain = folder.path + "/plain", doubles = folder.path + "/doubles", made = folder.path + "/made";
  const ModelOptions options{.training = false, .weights = WeightFormat::int4};
  const Model model = trained(R"("order": 3, "rows": 16384)");
  model.save(plain);
  Model wide(model.config(), Device::cpu({.threads = 1}), {.dtype = DType::f64, .training = false});
  wide.init(1);
  wide.save(doubles);
  const double floats = static_cast<double>(table(model).value.view().bytes());
  double kept = 0, quantised = 0;  // as int4: all parameters, and those that are made from floats
  for (const Parameter* p : model.parameters()) {
    const double bytes = stored_bytes(*p, WeightFormat::int4, DType::f32);
    kept += bytes;
    if (store_of(*p)) quantised += bytes;
  }
  const auto with = [](double bytes, const auto& f) {
    const test::MemoryLimit limit(bytes);
    return error_of(f);
  };
  const auto load = [&](const std::string& from) { return [&] { Model::load(from, Device::best(), options); }; };
  const auto init = [&] { Model(model.config(), Device::best(), options).init(1); };
  const auto refused = [](const std::string& error) {
    EXPECT_EQ(error.rfind("the model, while layers.0.ngram.table is made from floats, needs about ", 0), 0u) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  };
  ASSERT_LT(kept, floats);
  refused(with(quantised + 0.99 * floats, init));
  refused(with(quantised + 0.99 * floats, load(plain)));
  refused(with(quantised + 2.99 * floats, load(doubles)));  // in f64, and then in f32
  EXPECT_EQ(with(quantised + floats, init), "");
  EXPECT_EQ(with(quantised + floats, load(plain)), "");
  EXPECT_EQ(with(quantised + 3 * floats, load(doubles)), "");
  Model::load(plain, Device::best(), options).save(made);
  EXPECT_EQ(with(kept, load(made)), "");  // what is quantised already is kept as it is read
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
