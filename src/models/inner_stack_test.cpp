// Brackets in "layers": what they become, what the entries of "inner" change, and what a model says about its stacks.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "models/language_model.hpp"
#include "statera/loss.hpp"
#include "support/any_mixer.hpp"
#include "support/inner_model.hpp"
#include "support/op_run.hpp"

namespace statera {
namespace {

using test::lacking;

using test::model_of;
using test::with;

Tokens tokens(std::initializer_list<int32_t> lengths) {
  Tokens t{.ids = {}, .offsets = {0}, .start = {}};
  for (const int32_t length : lengths) {
    for (int32_t i = 0; i < length; ++i) t.ids.push_back((i * i * 7 + i) % 256);
    t.offsets.push_back(static_cast<int32_t>(t.ids.size()));
    t.start.push_back(0);
  }
  return t;
}

TEST(InnerStacks, TheEntryOfADepthOverridesWhatIsAround) {
  STATERA_NEEDS({"hnet"});
  const Model model = model_of(with("f [ f [ f2 ] f ] f", R"([
    {"type": "hnet", "lr_scale": 0.5, "stack": {"d_model": 10, "mixers": {"f": {"type": "ffn", "d_ff": 6}}}},
    {"type": "hnet", "lr_scale": 0.5, "stack": {"d_model": 16}}])"));
  std::map<std::string, const Parameter*> all;
  for (const Parameter* p : model.parameters()) all[p->name] = p;
  const std::string one = "layers.1.inner.", two = one + "layers.1.inner.";
  EXPECT_EQ(all.at("layers.0.mixer.up.weight")->shape, Shape({12, 8}));
  EXPECT_EQ(all.at("layers.1.inner_norm.weight")->shape, Shape({8}));
  EXPECT_EQ(all.at(one + "pad")->shape, Shape({2}));
  EXPECT_EQ(all.at(one + "layers.0.mixer.up.weight")->shape, Shape({6, 10}));
  EXPECT_EQ(all.at(two + "layers.1.mixer.up.weight")->shape, Shape({6, 16}));
  EXPECT_EQ(all.at(two + "norm.weight")->shape, Shape({16}));
  // the routers belong to the stack around, and a stack has the factors of those around it
  const std::map<std::string, double> rates = {{"embedding.weight", 1},
                                               {one + "q_proj.weight", 1},
                                               {one + "residual_proj.bias", 1},
                                               {one + "pad", 0.5},
                                               {one + "layers.2.norm.weight", 0.5},
                                               {two + "k_proj.weight", 0.5},
                                               {two + "pad", 0.25},
                                               {two + "layers.0.mixer.up.weight", 0.25}};
  for (const auto& [name, rate] : rates) EXPECT_EQ(all.at(name)->lr_scale, rate) << name;
}

// What the model says beside its logits, with and without running blocks again.
TEST(InnerStacks, RowsAndLossesAreReported) {
  STATERA_NEEDS({"hnet"});
  const auto config = [](const char* from) {
    return with("f [ f [ f ] f ] f", std::string(R"([{"type": "hnet", "ratio": 4, "ratio_from": )") + from +
                                         R"(}, {"type": "hnet", "router": "stride", "ratio": 3}])");
  };
  const Model model = model_of(config("2"));
  const Tokens t = tokens({31, 1, 18});
  const auto run = [&](ForwardOptions options) {
    Tape tape(model.device());
    std::vector<Var> losses;
    std::vector<InnerRows> rows;
    options.losses = &losses, options.inner_rows = &rows;
    model.forward(tape, t, options);
    EXPECT_EQ(losses.size(), 1u);
    EXPECT_EQ(rows.size(), 2u);
    return std::pair(tape.item(losses.at(0)), rows);
  };
  const auto [loss, rows] = run({});
  EXPECT_EQ(rows[0].of, 50);
  EXPECT_GE(rows[0].read, 3);  // the first position of each sequence at least
  EXPECT_EQ(rows[1].of, rows[0].read);
  EXPECT_GE(rows[1].read, (rows[0].read + 2) / 3);
  const auto again = run({.checkpoint = true});
  EXPECT_EQ(again.first, loss);
  EXPECT_EQ(again.second[0].read, rows[0].read);
  EXPECT_EQ(again.second[1].read, rows[1].read);
  // n / (n - 1) ((n - 1) F G + (1 - F) (1 - G)) is linear in 1 / (n - 1) and in n
  const double start = run({.progress = 0}).first, half = run({.progress = 0.5}).first;
  const double share = static_cast<double>(rows[0].read) / 50, mean = [&] {  // from the loss at the end
    const double n = 4, raw = loss / 0.03 * (n - 1) / n;
    return (raw - (1 - share)) / ((n - 1) * share - (1 - share));
  }();
  const auto expected = [&](double n) {
    return 0.03 * n / (n - 1) * ((n - 1) * share * mean + (1 - share) * (1 - mean));
  };
  EXPECT_NEAR(start, expected(2), 1e-12);
  EXPECT_NEAR(half, expected(3), 1e-12);
}

// What replaces the stream is not dropped, which would leave nothing of it; what is added is.
TEST(InnerStacks, DropoutSparesAStreamThatIsReplaced) {
  for (const bool replaced : {true, false}) {
    const Model model = model_of(std::string(R"({"d_model": 8, "layers": "b", "blocks": {"b": [
        {"name": "x", "residual": ")") +
                                 (replaced ? "none" : "stream") + R"(", "mixer": {"type": "ffn", "d_ff": 12}}]}})");
    const Tokens t = tokens({5});
    const Tensor x(DType::f64, {5, 8});
    for (int i = 0; i < 40; ++i) x.as<double>()[i] = std::sin(i);
    Tape tape(model.device());
    const auto run = [&](double dropped) {
      ForwardPass pass{.tape = tape, .ids = t.ids, .dropout = {dropped, 7}};
      return test::to_doubles(
          tape.value(modules_of(model).stack().forward(pass, tape.constant(x), {t.offsets, t.start}, {})));
    };
    EXPECT_EQ(run(0.5) == run(0), replaced);
  }
}

// Batches that go on from states and in which the stack has nothing to read.
TEST(InnerStacks, ABatchMayHoldNoCut) {
  STATERA_NEEDS({"hnet"});
  const Model model =
      model_of(R"({"d_model": 16, "mixers": )" + test::two_mixers(16) +
               R"(, "layers": "m [ m A ] m", "inner": [{"type": "hnet", "router": "stride", "ratio": 4}]})");
  const Tokens whole = tokens({11});
  Tape tape(model.device());
  const std::vector<double> expected = test::to_doubles(tape.value(model.forward(tape, whole)));
  for (const bool checkpoint : {false, true}) {
    CarriedState carried;
    std::vector<double> logits;
    for (int32_t at = 0; const int32_t length : {6, 1, 1, 3}) {  // cuts at 0 and 4, none, none, at 8
      const Tokens part{
          .ids = {whole.ids.begin() + at, whole.ids.begin() + at + length}, .offsets = {0, length}, .start = {at}};
      std::vector<InnerRows> rows;
      tape.reset();
      const Var out = model.forward(
          tape, part, {.checkpoint = checkpoint, .initial = &carried, .last = &carried, .inner_rows = &rows});
      EXPECT_EQ(rows.at(0).read, at == 0 ? 2 : at == 8 ? 1 : 0);
      const std::vector<double> more = test::to_doubles(tape.value(out));
      logits.insert(logits.end(), more.begin(), more.end());
      tape.backward(cross_entropy(tape, out, part.ids));
      for (const Parameter* p : model.parameters())
        for (const double g : test::to_doubles(p->grad)) ASSERT_TRUE(std::isfinite(g)) << p->name;
      at += length;
    }
    EXPECT_LE(test::max_error(logits, expected), 1e-12) << checkpoint;
  }
}

// A stack reads at the first byte of white space after a word, for any batch.
TEST(InnerStacks, SpacesCutAtTheFirstSpaceBehindAWord) {
  STATERA_NEEDS({"hnet"});
  const Model model = model_of(with("f [ f ] f", R"([{"type": "hnet", "router": "spaces"}])"));
  const std::string text = "two  words, \n\nand ends ";
  State state = modules_of(model).new_state(DType::f64);
  std::vector<Cuts> cuts(2);
  Arena scratch;
  for (size_t begin = 0; const size_t length : {4, 1, 1, 17}) {  // pieces that end within and after white space
    const std::vector<int32_t> ids(text.begin() + static_cast<ptrdiff_t>(begin),
                                   text.begin() + static_cast<ptrdiff_t>(begin + length));
    const int32_t offsets[] = {0, static_cast<int32_t>(length)};
    const int64_t start[] = {state.position()};
    State* one = &state;
    AdvancePass pass{.exec = {pool_of(model.device()), scratch}, .states = {&one, 1}, .cuts = cuts};
    modules_of(model).advance(pass, ids, {offsets, start}, {});
    begin += length;
  }
  EXPECT_EQ(cuts[1].rows, (std::vector<int64_t>{0, 3, 11, 17, 22}));
  EXPECT_EQ(state.position(1), 5);
}

}  // namespace
}  // namespace statera
