// Whole models: presets, save and load, batches, carried state, checkpointing, no heap after the
// first step.
#include "statera/model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <new>
#include <numeric>

#include "conformance/model_cases.hpp"
#include "core/arena.hpp"
#include "core/exec.hpp"
#include "core/memory.hpp"
#include "io/json.hpp"
#include "statera/random.hpp"
#include "models/language_model.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"
#include "support/error_of.hpp"

namespace {
std::atomic<int64_t> heap_calls{0};
}
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++heap_calls;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace statera {
namespace {

using test::error_of;

Tokens tokens(int batch, int length, int64_t start = 0) {
  Tokens t;
  t.offsets.push_back(0);
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < length; ++i) t.ids.push_back((i * 7 + b * 31 + i * i) % 256);
    t.offsets.push_back(static_cast<int32_t>(t.ids.size()));
    t.start.push_back(start);
  }
  return t;
}

std::vector<int32_t> targets_of(const Tokens& t) {
  std::vector<int32_t> targets = t.ids;
  for (int32_t& id : targets) id = (id + 1) % 256;
  return targets;
}

std::string temporary(const std::string& name) {
  const std::string path = testing::TempDir() + "statera_model_" + name;
  std::filesystem::remove_all(path);
  return path;
}

TEST(Presets, AnAdditionIsALayerInFront) {
  for (const std::string& addition : ModelConfig::additions()) {
    const std::string base = ModelConfig::presets().front(), name = base + "+" + addition;
    const ModelConfig config = ModelConfig::load(name);
    EXPECT_EQ(config.where, name);
    EXPECT_EQ(config.layers, addition + " " + ModelConfig::load(base).layers);
    EXPECT_EQ(config.layer_mixers().size(), ModelConfig::load(base).layer_mixers().size() + 1);
    EXPECT_NE(error_of([&] { ModelConfig::load(name + "+" + addition); }).find("has a layer"), std::string::npos);
  }
  const std::string wrong = ModelConfig::presets().front() + "+nothing",
                    said = error_of([&] { ModelConfig::load(wrong); });
  EXPECT_NE(said.find("'" + wrong + "': there is no addition '+nothing'; known: "), std::string::npos) << said;
  for (const std::string& addition : ModelConfig::additions())
    EXPECT_NE(said.find("+" + addition, wrong.size()), std::string::npos) << said;
}

TEST(Presets, EqualSizesHaveEqualParameters) {
  std::map<std::string, std::map<std::string, double>> sizes;
  for (const std::string& name : ModelConfig::presets()) {
    std::vector<Parameter*> all;
    struct Count : ParameterVisitor {
      double total = 0;
      void visit(Parameter& p) override { total += static_cast<double>(p.elements()); }
    } count;
    LanguageModel(ModelConfig::load(name)).visit_parameters(count);
    sizes[name.substr(0, name.find('-'))][name] = count.total;
  }
  EXPECT_EQ(sizes.size(), 3u);
  for (const auto& [size, presets] : sizes) {
    EXPECT_GE(presets.size(), 2u) << size;
    double least = 1e18, most = 0;
    for (const auto& [name, n] : presets) least = std::min(least, n), most = std::max(most, n);
    EXPECT_LE(most / least, 1.03) << size << ": " << least << " to " << most;
  }
}

// Over the matrices that write into the residual stream: the largest initial weight of each times sqrt(in), and how
// many there are.
struct ResidualStart : ParameterVisitor {
  double least = 1e18, most = 0;
  int matrices = 0;
  void visit(Parameter& p) override {
    if (!p.name.ends_with("out_proj.weight") && !p.name.ends_with("o_proj.weight") && !p.name.ends_with("down.weight"))
      return;
    p.allocate(DType::f64, false);
    p.initialise(1);
    double largest = 0;
    for (int64_t i = 0; i < p.elements(); ++i) largest = std::max(largest, std::abs(p.value.as<double>()[i]));
    largest *= std::sqrt(static_cast<double>(p.shape[1]));
    least = std::min(least, largest), most = std::max(most, largest);
    ++matrices;
  }
};

// One layer of each type that the registry has.
TEST(Config, ResidualInitHoldsForEveryMatrixThatWritesIntoTheStream) {
  nlohmann::json mixers;
  std::string layers;
  for (const std::string& type : test::sequence_mixer_types()) {
    const std::string name(1, static_cast<char>('a' + mixers.size()));
    mixers[name] = parse_json(test::case_for_width(type, 32), type);
    layers += name + " ";
  }
  for (const bool mlp : {false, true})
    for (const auto& [how, expected] : std::map<std::string, double>{
             {"scaled", 1 / std::sqrt((mlp ? 2.0 : 1.0) * static_cast<double>(mixers.size()))},
             {"plain", 1},
             {"zero", 0}}) {
      LanguageModel model(ModelConfig::parse("{\"d_model\": 32, \"mixers\": " + mixers.dump() + ", \"layers\": \"" +
                                                 layers + "\", \"residual_init\": \"" + how + "\"" +
                                                 (mlp ? R"(, "mlp": {"type": "swiglu", "d_ff": 40}})" : "}"),
                                             "x.json"));
      ResidualStart start;
      model.visit_parameters(start);
      EXPECT_EQ(start.matrices, (mlp ? 2 : 1) * static_cast<int>(mixers.size()));
      EXPECT_LE(start.most, expected * 1.0001) << how;
      EXPECT_GE(start.least, expected * 0.98) << how;
    }
}

// At first the gradient reaches the output matrices alone; once they have moved, everything.
TEST(Config, AModelWhoseOutputsStartAtZeroLearns) {
  ModelConfig config = test::hybrid();
  ASSERT_EQ(config.residual_init, "zero");
  Model model(std::move(config), Device::cpu({.threads = 1}));
  model.init(1);
  Tape tape(model.device());
  const Tokens t = tokens(2, 40);
  const std::vector<int32_t> targets = targets_of(t);
  for (int step = 0; step < 2; ++step) {
    for (Parameter* p : model.parameters()) fill_zero(p->grad);
    tape.backward(cross_entropy(tape, model.forward(tape, t), targets));
    for (Parameter* p : model.parameters()) {
      float *w = p->value.as<float>(), *grad = p->grad.as<float>();
      const bool output = p->name.ends_with("o_proj.weight") || p->name.ends_with("out_proj.weight") ||
                          p->name.ends_with("down.weight");
      const bool reached = std::any_of(grad, grad + p->elements(), [](float g) { return g != 0; });
      EXPECT_EQ(reached, step == 1 || output || !p->name.starts_with("layers.")) << p->name;
      for (int64_t i = 0; i < p->elements(); ++i) w[i] -= 0.1f * grad[i];
      p->changed();
    }
    tape.reset();
  }
}

class EveryKind : public testing::TestWithParam<test::ModelCase> {};

TEST_P(EveryKind, SavesAndLoads) {
  const std::string folder = temporary(GetParam().name);
  Model model(GetParam().config, Device::cpu({.threads = 2}));
  model.init(5);
  model.save(folder);
  const Model again = Model::load(folder, Device::cpu({.threads = 1}));
  Tape a, b;
  const Tokens t = tokens(1, 40);
  const View va = a.value(model.forward(a, t)), vb = b.value(again.forward(b, t));
  EXPECT_TRUE(std::equal(va.as<float>(), va.as<float>() + va.elements(), vb.as<float>()));
}

TEST_P(EveryKind, NothingFromTheHeapAfterTheFirstSteps) {
  Model model(GetParam().config, Device::cpu({.threads = 2}));
  model.init(1);
  Tape tape(model.device());
  const Tokens t = tokens(2, 70);
  const std::vector<int32_t> targets = targets_of(t);
  const std::vector<Parameter*> parameters = model.parameters();
  int64_t before = 0;
  for (int step = 0; step < 4; ++step) {
    if (step == 2) before = heap_calls + memory_calls();
    tape.backward(cross_entropy(tape, model.forward(tape, t), targets));
    for (Parameter* p : parameters) p->changed();  // as an optimizer does: panels are packed again
    tape.reset();
  }
  EXPECT_EQ(heap_calls + memory_calls() - before, 0);
}

TEST_P(EveryKind, CheckpointingChangesNoBit) {
  Model model(GetParam().config, Device::cpu({.threads = 2}));
  model.init(2);
  const Tokens t = tokens(2, 70);
  std::vector<std::vector<float>> grads[2];
  size_t peak[2];
  for (const bool checkpointed : {false, true}) {
    Tape tape(model.device());
    for (Parameter* p : model.parameters()) fill_zero(p->grad);
    tape.backward(
        cross_entropy(tape, model.forward(tape, t, {.checkpoint = checkpointed, .dropout = 0.1}), targets_of(t)));
    for (Parameter* p : model.parameters())
      grads[checkpointed].emplace_back(p->grad.as<float>(), p->grad.as<float>() + p->elements());
    peak[checkpointed] = tape.peak_bytes();
  }
  EXPECT_EQ(grads[0], grads[1]);
  EXPECT_LT(peak[1], peak[0]);
}

TEST(ModelDropout, EachHalfOfEachBlockDropsItsOwn) {
  Model model(ModelConfig::parse(R"({"format_version": 1, "d_model": 64, "mixers": {"m": )" +
                                     test::any_mixer(test::Keeps::fixed, 64) +
                                     R"(}, "mlp": {"type": "swiglu", "d_ff": 96}, "layers": "m2"})",
                                 "test"),
              Device::cpu({.threads = 1}));
  model.init(1);
  const int64_t length = 256;
  const Tensor x(DType::f32, {length, 64});
  for (int64_t i = 0; i < x.view().elements(); ++i)
    x.as<float>()[i] = static_cast<float>(Random(1, "x").normal(static_cast<uint64_t>(i)));
  const std::vector<int32_t> offsets{0, static_cast<int32_t>(length)};
  const std::vector<int64_t> start{0};
  std::vector<std::vector<bool>> untouched;  // by both halves
  for (const auto& block : modules_of(model).stack().blocks()) {
    Tape tape(model.device());
    ForwardPass pass{.tape = tape, .dropout = {0.5, 1}};
    const View y = tape.value(block->forward(pass, tape.constant(x), {offsets, start}, {}));
    std::vector<bool>& same = untouched.emplace_back();
    for (int64_t i = 0; i < y.elements(); ++i) same.push_back(y.as<float>()[i] == x.as<float>()[i]);
    EXPECT_NEAR(static_cast<double>(std::count(same.begin(), same.end(), true)) / static_cast<double>(same.size()),
                0.25, 0.02);
  }
  EXPECT_NE(untouched[0], untouched[1]);
}

// Of an id that stands once, and in no tied output, the gradient is 0 where its row was dropped.
TEST(ModelDropout, TheEmbeddingDropsItsShare) {
  Model model(ModelConfig::parse(R"({"format_version": 1, "d_model": 64, "tied": false, "mixers": {"m": )" +
                                     test::any_mixer(test::Keeps::fixed, 64) + R"(}, "layers": "m"})",
                                 "test"),
              Device::cpu({.threads = 1}));
  model.init(1);
  constexpr int32_t length = 200;
  Tokens t{std::vector<int32_t>(length), {0, length}, {0}};
  std::iota(t.ids.begin(), t.ids.end(), 0);
  Tape tape(model.device());
  tape.backward(cross_entropy(tape, model.forward(tape, t, {.dropout = 0.5, .dropout_seed = 1}), targets_of(t)));
  const float* grad = model.parameters().front()->grad.as<float>();
  EXPECT_NEAR(static_cast<double>(std::count(grad, grad + length * 64, 0.0f)) / (length * 64), 0.5, 0.02);
}

// Truncated backpropagation: two halves with the state carried over give the logits of the whole.
TEST_P(EveryKind, CarriedStateContinuesTheSequence) {
  Model model(GetParam().config, Device::cpu({.threads = 2}), {.dtype = DType::f64});
  model.init(3);
  const Tokens whole = tokens(1, 128);
  Tape tape(model.device());
  const View expected = tape.value(model.forward(tape, whole));
  CarriedState carried;
  for (int half = 0; half < 2; ++half) {
    Tape part(model.device());
    const Tokens t{{whole.ids.begin() + half * 64, whole.ids.begin() + (half + 1) * 64}, {0, 64}, {half * 64}};
    const View logits = part.value(model.forward(part, t, {.initial = &carried, .last = &carried}));
    for (int64_t i = 0; i < logits.elements(); ++i)
      ASSERT_NEAR(logits.as<double>()[i], expected.as<double>()[half * 64 * 256 + i], 1e-9) << half;
  }
}

TEST_P(EveryKind, TheBatchChangesNoLogit) {
  Model model(GetParam().config, Device::cpu({.threads = 2}), {.training = false});
  model.init(4);
  Arena scratch;
  const auto advance = [&](std::span<const int32_t> ids, const Rows& rows, std::span<State* const> states,
                           const View& logits) {
    AdvancePass pass{.exec = {pool_of(model.device()), scratch, KernelChoice::fast}, .states = states};
    modules_of(model).advance(pass, ids, rows, logits);
  };
  const Tokens prompts = tokens(8, 50);
  std::vector<State> states;
  std::vector<State*> pointers;
  for (int s = 0; s < 8; ++s) states.push_back(modules_of(model).new_state(DType::f32));
  for (State& s : states) pointers.push_back(&s);
  Tensor together(DType::f32, {8, 256}), alone(DType::f32, {1, 256});
  advance(prompts.ids, {prompts.offsets, prompts.start}, pointers, together);
  for (const int slot : {0, 5}) {
    State one = modules_of(model).new_state(DType::f32);
    State* pointer = &one;
    const int32_t offsets[] = {0, 50};
    const int64_t start[] = {0};
    advance(std::span(prompts.ids).subspan(static_cast<size_t>(slot) * 50, 50), {offsets, start}, {&pointer, 1}, alone);
    EXPECT_TRUE(std::equal(alone.as<float>(), alone.as<float>() + 256, together.as<float>() + slot * 256))
        << "slot " << slot;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, EveryKind, testing::ValuesIn(test::model_cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace statera
