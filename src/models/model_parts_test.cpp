// What stands around the layers of a model, and what several layers share: whole models in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <stdexcept>
#include <vector>

#include "conformance/model_cases.hpp"
#include "statera/random.hpp"
#include "models/language_model.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"
#include "statera/model.hpp"
#include "support/error_of.hpp"
#include "support/op_run.hpp"

namespace statera {
namespace {

using test::error_of;

const Device reference = Device::cpu({.threads = 1, .kernels = KernelChoice::reference});

Tokens text(int sequences, int length) {
  Tokens t;
  t.offsets = {0};
  for (int s = 0; s < sequences; ++s) {
    t.start.push_back(0);
    for (int i = 0; i < length; ++i) t.ids.push_back((i * i + 7 * s + i % 3) % 256);
    t.offsets.push_back(static_cast<int32_t>(t.ids.size()));
  }
  return t;
}

// A model in double precision whose norms and biases have left their round initial values.
Model in_double(const std::string& config) {
  Model model(ModelConfig::parse(config, "test"), reference, {.dtype = DType::f64});
  model.init(1);
  for (Parameter* p : model.parameters()) {
    const Random noise(2, p->name);
    for (int64_t i = 0; i < p->elements(); ++i)
      p->value.as<double>()[i] += 0.1 * noise.normal(static_cast<uint64_t>(i));
    p->changed();
  }
  return model;
}

// The loss, and its gradients where they are asked for.
double loss_of(const Model& model, bool gradients = false) {
  const Tokens t = text(2, 11);
  std::vector<int32_t> targets(t.ids.begin() + 1, t.ids.end());
  targets.push_back(5);
  Tape tape(model.device());
  const Var loss = cross_entropy(tape, model.forward(tape, t), targets);
  const double value = *tape.value(loss).as<double>();
  if (gradients) {
    for (Parameter* p : model.parameters()) fill_zero(p->grad);
    tape.backward(loss);
  }
  return value;
}

class SmallModels : public testing::TestWithParam<test::ModelCase> {};

TEST_P(SmallModels, TheGradientIsTheFiniteDifference) {
  if (GetParam().surrogate)
    GTEST_SKIP() << "its gradient is on purpose not that of its function; golden files check it";
  const Model model = in_double(GetParam().config.json());
  loss_of(model, true);
  for (Parameter* p : model.parameters()) {
    std::vector<double> direction(static_cast<size_t>(p->elements()));
    double expected = 0;
    const Random random(3, p->name);
    for (size_t i = 0; i < direction.size(); ++i) {
      direction[i] = random.normal(i) / std::sqrt(static_cast<double>(direction.size()));
      expected += direction[i] * p->grad.as<double>()[i];
    }
    const auto moved = [&](double by) {
      for (size_t i = 0; i < direction.size(); ++i) p->value.as<double>()[i] += by * direction[i];
      p->changed();
      const double loss = loss_of(model);
      for (size_t i = 0; i < direction.size(); ++i) p->value.as<double>()[i] -= by * direction[i];
      p->changed();
      return loss;
    };
    constexpr double h = 2e-4;
    const double slope = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h);
    EXPECT_NEAR(slope, expected, 1e-7 * std::max(1.0, std::abs(expected))) << p->name;
  }
}

std::vector<test::ModelCase> small_cases() {
  std::vector<test::ModelCase> cases = test::model_cases();
  std::erase_if(cases, [](const test::ModelCase& c) {
    return c.config.d_model > 32 || c.name.find("relu") != std::string::npos;
  });  // a kink has no slope
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Small, SmallModels, testing::ValuesIn(small_cases()),
                         [](const auto& info) { return info.param.name; });

std::vector<double> logits_of(const Model& model) {
  Tape tape(model.device());
  return test::to_doubles(tape.value(model.forward(tape, text(1, 9))));
}

Parameter& named(const Model& model, const std::string& name) {
  for (Parameter* p : model.parameters())
    if (p->name == name) return *p;
  throw std::runtime_error("no parameter is called " + name);
}

const std::string& plain_one() {
  static const std::string text =
      R"("d_model": 12, "mixers": {"m": )" + test::any_mixer(test::Keeps::fixed, 12) + R"(}, "layers": "m2")";
  return text;
}

TEST(ModelParts, LogitsAreScaledAndThenCapped) {
  const std::string begin = "{" + plain_one();
  const std::vector<double> logits = logits_of(in_double(begin + "}")),
                            scaled = logits_of(in_double(begin + R"(, "logit_scale": 3})")),
                            capped = logits_of(in_double(begin + R"(, "logit_scale": 3, "logit_softcap": 1.5})"));
  double largest = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    EXPECT_NEAR(scaled[i], 3 * logits[i], 1e-13);
    EXPECT_NEAR(capped[i], 1.5 * std::tanh(2 * logits[i]), 1e-13);
    largest = std::max(largest, std::abs(logits[i]));
  }
  EXPECT_GT(largest, 0.5);
}

TEST(ModelParts, TheEmbeddingIsScaledAndPositionsAreAdded) {
  const std::string begin = "{" + plain_one();
  const Model with = in_double(begin + R"(, "embedding_scale": 2.5, "learned_positions": 9, "tied": false})"),
              without = in_double(begin + R"(, "tied": false})");
  for (Parameter* p : without.parameters())
    if (p->name != "embedding.weight") copy(named(with, p->name).value, p->value);
  const Tensor &positions = named(with, "positions.weight").value, &table = named(with, "embedding.weight").value;
  // Position by position: another table has in each used row what the two together are there.
  const Tokens t = text(1, 9);
  std::set<int32_t> used(t.ids.begin(), t.ids.end());
  ASSERT_EQ(used.size(), t.ids.size());
  for (size_t i = 0; i < t.ids.size(); ++i)
    for (int64_t c = 0; c < 12; ++c) {
      const int64_t at = t.ids[i] * 12 + c;
      named(without, "embedding.weight").value.as<double>()[at] =
          2.5 * table.as<double>()[at] + positions.as<double>()[static_cast<int64_t>(i) * 12 + c];
    }
  for (Parameter* p : without.parameters()) p->changed();
  const std::vector<double> a = logits_of(with), b = logits_of(without);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-12);
}

TEST(ModelParts, BehindTheLastLearnedPositionIsAnError) {
  const Model model = in_double("{" + plain_one() + R"(, "learned_positions": 9})");
  EXPECT_EQ(logits_of(model).size(), 9 * 256u);
  Tape tape(model.device());
  EXPECT_NE(error_of([&] { model.forward(tape, text(1, 10)); }, ErrorCode::config)
                .find("10 positions are more than the 9 of learned_positions"),
            std::string::npos);
}

TEST(ModelParts, LayerNormIsItsFormula) {
  const int64_t rows = 5, width = 37;
  Norm norm("norm", width, 1e-5, *norm_named("layer", "norm", "test"));
  struct Fill : ParameterVisitor {
    std::vector<Parameter*> all;
    void visit(Parameter& p) override {
      p.allocate(DType::f64, false);
      const Random random(1, p.name);
      for (int64_t i = 0; i < p.elements(); ++i) p.value.as<double>()[i] = random.normal(static_cast<uint64_t>(i));
      all.push_back(&p);
    }
  } parameters;
  norm.visit(parameters);
  ASSERT_EQ(parameters.all.size(), 2u);
  Tensor x(DType::f64, {rows, width});
  const Random random(1, "x");
  for (int64_t i = 0; i < rows * width; ++i) x.as<double>()[i] = 3 + random.normal(static_cast<uint64_t>(i));
  Tape tape(reference);
  const View y = tape.value(norm(tape, tape.constant(x)));
  for (int64_t n = 0; n < rows; ++n) {
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < width; ++c) mean += x.as<double>()[n * width + c] / width;
    for (int64_t c = 0; c < width; ++c) variance += std::pow(x.as<double>()[n * width + c] - mean, 2) / width;
    for (int64_t c = 0; c < width; ++c)
      EXPECT_NEAR(y.as<double>()[n * width + c],
                  (x.as<double>()[n * width + c] - mean) / std::sqrt(variance + 1e-5) *
                          parameters.all[0]->value.as<double>()[c] +
                      parameters.all[1]->value.as<double>()[c],
                  1e-12);
  }
}

// A model whose two layers share a mixer is the model of two layers with equal weights, and its gradient is the sum of
// theirs.
TEST(ModelParts, ASharedMixerIsTwoEqualOnes) {
  const std::string mixer = test::any_mixer(test::Keeps::fixed, 12), end = R"("d_model": 12, "layers": "b2")";
  const Model two = in_double(R"({"blocks": {"b": [{"name": "x", "mixer": )" + mixer + "}]}, " + end + "}");
  const Model one =
      in_double(R"({"shared": {"s": )" + mixer + R"(}, "blocks": {"b": [{"name": "x", "mixer": "s"}]}, )" + end + "}");
  EXPECT_LT(one.parameter_count(), two.parameter_count());
  const auto of_one = [&](const std::string& name) -> Parameter& {
    const size_t at = name.find(".x.");
    return named(one, at == std::string::npos ? name : "shared.s." + name.substr(at + 3));
  };
  for (Parameter* p : two.parameters()) {
    copy(of_one(p->name).value, p->value);
    p->changed();
  }
  EXPECT_EQ(loss_of(one, true), loss_of(two, true));
  for (Parameter* p : two.parameters()) {
    const size_t at = p->name.find(".x.");
    if (at == std::string::npos) continue;
    const Parameter &first = named(two, "layers.0" + p->name.substr(at)),
                    &second = named(two, "layers.1" + p->name.substr(at)), &shared = of_one(p->name);
    for (int64_t i = 0; i < p->elements(); ++i)
      EXPECT_NEAR(shared.grad.as<double>()[i], first.grad.as<double>()[i] + second.grad.as<double>()[i], 1e-13)
          << p->name;
  }
}

TEST(ModelParts, BadOnesAreNamed) {
  const auto error = [](const std::string& more) {
    return error_of([&] { LanguageModel model(ModelConfig::parse("{" + plain_one() + ", " + more + "}", "x.json")); },
                    ErrorCode::config);
  };
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_PRED2(has, error(R"("norm": "batch")"),
               "norm is 'batch'; known: rms, rms_plain, layer, layer_no_bias, layer_plain (x.json)");
  EXPECT_PRED2(has, error(R"("learned_positions": -1)"), "learned_positions -1");
  EXPECT_PRED2(has, error(R"("logit_softcap": -1)"), "logit_softcap -1");
  const std::string blocks = R"("blocks": {"b": [{"name": "x", "mixer": "s"}]})";
  EXPECT_PRED2(has, error(blocks), "mixer names 's', which shared does not have (x.json: blocks.b[0])");
  EXPECT_PRED2(has,
               error(
                   R"("shared": {"s": {"type": "ffn", "d_ff": 8}}, "blocks": {"b": [{"name": "x", "mixer": "s",
              "lr_scale": 2}]})"),
               "'s' is shared");
  EXPECT_PRED2(has, error(R"("mlp": {"type": "ffn", "d_ff": 8, "activation": "sine"})"),
               "activation is 'sine'; known: silu, gelu, ");
}

// Keys that format 1 did not have are written where they are used, and the number says so.
TEST(ModelParts, ConfigsWithoutThemAreWrittenAsBefore) {
  const std::string plain = ModelConfig::parse("{" + plain_one() + "}", "x").json();
  EXPECT_EQ(plain.find("soft"), std::string::npos) << plain;
  EXPECT_NE(plain.find("\"format_version\": 1"), std::string::npos) << plain;
  const std::string capped = ModelConfig::parse("{" + plain_one() + R"(, "logit_softcap": 30})", "x").json();
  EXPECT_NE(capped.find("\"logit_softcap\": 30"), std::string::npos) << capped;
  EXPECT_NE(capped.find("\"format_version\": 2"), std::string::npos) << capped;
  EXPECT_EQ(capped.find("logit_scale"), std::string::npos) << capped;
  for (const test::ModelCase& c : test::model_cases())
    EXPECT_EQ(ModelConfig::parse(c.config.json(), "again").json(), c.config.json()) << c.name;
}

}  // namespace
}  // namespace statera
