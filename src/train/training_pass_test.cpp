#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <utility>

#include "models/language_model.hpp"
#include "statera/loss.hpp"
#include "statera/train.hpp"
#include "support/any_mixer.hpp"
#include "support/op_run.hpp"

namespace statera {
namespace {

// y = W x, and a loss of its own: the cost of y as logits where the first channel is right.
class WithALoss : public Mixer {
 public:
  WithALoss(const JsonText&, const Place& place)
      : projection_(place.scope + ".projection", place.d_in, place.d_out), loss_(place.losses->size()) {
    place.losses->push_back(place.scope);
  }
  Var forward(ForwardPass& pass, Var x, const Rows&, const At&) const override {
    const Var y = projection_(pass.tape, x);
    pass.losses[loss_] =
        cross_entropy(pass.tape, y, std::vector<int32_t>(static_cast<size_t>(pass.tape.value(y).rows())));
    return y;
  }
  void advance(AdvancePass& pass, const View& x, const Rows&, const At&, const View& y) const override {
    projection_(pass.exec, x, y);
  }
  void visit_parameters(ParameterVisitor& visitor) override { projection_.visit(visitor); }
  Cost cost(Pass, int64_t, int64_t) const override { return {}; }

 private:
  Linear projection_;
  size_t loss_;
};
const bool added =
    add_mixer_type("with_a_loss", [](const JsonText& config, const Place& place) -> std::unique_ptr<Mixer> {
      return std::make_unique<WithALoss>(config, place);
    });

Model small_model(const std::string& mixer) {
  return Model(ModelConfig::parse(
                   R"({"d_model": 16, "vocab_size": 20, "mixers": {"m": )" + mixer + R"(}, "layers": "m2"})", "test"),
               Device::cpu({.threads = 1, .kernels = KernelChoice::reference}), {.dtype = DType::f64});
}
std::string fixed() { return test::any_mixer(test::Keeps::fixed, 16); }
constexpr const char* with_a_loss = R"({"type": "with_a_loss"})";

struct Batch {
  Tokens tokens;
  std::vector<int32_t> targets;
};

// Sequences of these lengths, of which every `uncounted`-th target does not count; `seed` is of the first.
Batch batch_of(std::initializer_list<int32_t> lengths, int32_t uncounted, int32_t seed) {
  Batch b;
  b.tokens.offsets = {0};
  for (const int32_t length : lengths) {
    for (int32_t i = 0; i < length; ++i) {
      b.tokens.ids.push_back((i * 7 + seed) % 20);
      b.targets.push_back(i % uncounted == 0 ? -1 : ((i + 1) * 7 + seed) % 20);
    }
    b.tokens.offsets.push_back(static_cast<int32_t>(b.tokens.ids.size()));
    b.tokens.start.push_back(0);
    ++seed;
  }
  return b;
}

struct Gradients {
  TrainingLoss loss;
  std::vector<std::vector<double>> all;
};

Gradients gradients(const std::string& mixer, const std::vector<Batch>& batches, bool checkpoint = false) {
  Model model = small_model(mixer);
  model.init(1);
  Tape tape(model.device());
  int64_t targets = 0;
  for (const Batch& b : batches) targets += counted_targets(b.targets);
  Gradients g;
  for (const Batch& b : batches) {
    const TrainingLoss loss = training_pass(model, tape, b.tokens, b.targets, {.checkpoint = checkpoint}, targets);
    g.loss.loss += loss.loss;
    g.loss.auxiliary += loss.auxiliary;
  }
  for (const Parameter* p : model.parameters()) g.all.push_back(test::to_doubles(p->grad));
  return g;
}

void expect_near(const Gradients& a, const Gradients& b) {
  EXPECT_NEAR(a.loss.loss, b.loss.loss, 1e-12);
  ASSERT_EQ(a.all.size(), b.all.size());
  for (size_t p = 0; p < a.all.size(); ++p)
    for (size_t i = 0; i < a.all[p].size(); ++i) ASSERT_NEAR(a.all[p][i], b.all[p][i], 1e-12) << p;
}

// Batches of 6, 17 and 40 rows with different shares of counted targets are one batch of 63.
TEST(TrainingPass, AccumulationIsOneLargeBatch) {
  const Gradients one = gradients(fixed(), {batch_of({6, 17, 40}, 3, 1)});
  expect_near(gradients(fixed(), {batch_of({6}, 3, 1), batch_of({17}, 3, 2), batch_of({40}, 3, 3)}), one);
}

TEST(TrainingPass, WithoutADenominatorItIsTheMean) {
  Model model = small_model(fixed());
  model.init(1);
  Tape tape(model.device());
  const Batch b = batch_of({6, 17}, 3, 1);
  EXPECT_EQ(training_pass(model, tape, b.tokens, b.targets).loss, gradients(fixed(), {b}).loss.loss);
  const Batch nothing = batch_of({5}, 1, 1);
  EXPECT_EQ(training_pass(model, tape, nothing.tokens, nothing.targets).loss, 0);
}

TEST(TrainingPass, AuxiliaryLossesCountAndSurviveCheckpointing) {
  const std::vector<Batch> batches = {batch_of({6, 17}, 3, 1)};
  const Gradients plain = gradients(with_a_loss, batches), again = gradients(with_a_loss, batches, true);
  EXPECT_GT(plain.loss.auxiliary, 0.1);
  EXPECT_EQ(plain.loss.auxiliary, again.loss.auxiliary);
  EXPECT_EQ(plain.all, again.all);
  // The slope of loss + auxiliary along the gradient itself.
  Model model = small_model(with_a_loss);
  model.init(1);
  Tape tape(model.device());
  const auto moved = [&](double by) {
    for (size_t p = 0; p < plain.all.size(); ++p) {
      Parameter& parameter = *model.parameters()[p];
      for (size_t i = 0; i < plain.all[p].size(); ++i) parameter.value.as<double>()[i] += by * plain.all[p][i];
      parameter.changed();
    }
    const TrainingLoss loss = training_pass(model, tape, batches[0].tokens, batches[0].targets);
    return loss.loss + loss.auxiliary;
  };
  double square = 0;
  for (const auto& of_one : plain.all)
    for (const double g : of_one) square += g * g;
  const double h = 1e-5, up = moved(h), down = moved(-2 * h);
  EXPECT_NEAR((up - down) / (2 * h), square, 1e-5 * square);
}

TEST(TrainingPass, TheFirstValueThatIsNotFiniteIsNamed) {
  Model model = small_model(fixed());
  model.init(1);
  for (Parameter* p : model.parameters())
    if (p->name == "layers.1.mixer.in_proj.weight") p->value.as<double>()[0] = INFINITY, p->changed();
  Tape tape(model.device());
  const Batch b = batch_of({6}, 9, 1);
  try {
    training_pass(model, tape, b.tokens, b.targets);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::numeric);
    EXPECT_NE(std::string(error.what()).find("layers.1.mixer"), std::string::npos) << error.what();
  }
}

// A Model is a handle: its weights stay where they are when the object is moved or copied.
TEST(Model, ATapeAndAnOptimizerGoOnWhenTheObjectIsMoved) {
  const Batch b = batch_of({6, 3}, 9, 1);
  const auto train = [&](bool move) {
    auto model = std::make_unique<Model>(small_model(fixed()));
    model->init(3);
    const uint64_t before = model->fingerprint();
    Tape tape(model->device());
    AdamW optimizer(model->parameters());
    const Var loss = cross_entropy(tape, model->forward(tape, b.tokens), b.targets);
    const Model other = move ? std::move(*model) : *model;
    model.reset();
    tape.backward(loss);
    optimizer.step();
    EXPECT_NE(other.fingerprint(), before);
    return other.fingerprint();
  };
  EXPECT_EQ(train(true), train(false));
}

}  // namespace
}  // namespace statera
