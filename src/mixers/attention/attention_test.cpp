// What is special about the attention mixer: keys carried between batches, the narrowed window of inference, bad
// configs.
#include "mixers/attention/attention.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "conformance/mixer_run.hpp"
#include "support/kept.hpp"

namespace statera::test {
namespace {

const Device device = Device::cpu({.threads = 2});

MixerUnderTest mixer(const std::string& fields, DType dtype = DType::f64) {
  return MixerUnderTest(
      {"attention", "test", "{\"type\": \"attention\", \"n_heads\": 4, \"n_kv_heads\": 2" + fields + "}", 16}, dtype);
}

// Runs three batches of two sequences, each going on where it ended, and returns the rows of y of the second sequence.
std::vector<double> in_batches(const MixerUnderTest& m, const Tensor& x, const std::vector<int32_t>& lengths) {
  const int64_t width = x.shape()[1];
  std::vector<double> y;
  CarriedState carried;
  for (int32_t at = 0; int32_t length : lengths) {
    Tensor both(x.dtype(), {2 * length, width});
    copy(x.view().row_range(at, length), both.view().row_range(0, length));
    copy(x.view().row_range(at, length), both.view().row_range(length, length));
    const Ragged rows({length, length}, at);
    const OpResult result = m.forward(device, both, rows.rows(), at > 0 ? &carried : nullptr);
    const std::vector<double>& all = result.outputs.at("y");
    y.insert(y.end(), all.begin() + length * width, all.end());
    carried.clear();
    for (int i = 0; result.outputs.contains("last." + std::to_string(i)); ++i) {
      const std::string name = "last." + std::to_string(i);
      carried.slots.push_back(to_tensor(x.dtype(), result.shapes.at(name), result.outputs.at(name)));
    }
    at += length;
  }
  return y;
}

TEST(AttentionMixer, CarriedKeysContinueTheSequence) {
  for (const char* fields :
       {"", ", \"window\": 9", ", \"window\": 1", ", \"rope_interleaved\": true, \"rotary_dim\": 2",
        ", \"d_conv\": 5, \"qk_norm\": true", ", \"d_conv\": 3, \"window\": 9"}) {
    const MixerUnderTest m = mixer(fields);
    const Tensor x = m.input(60, 1);
    const Ragged whole({60});
    const std::vector<double> y = m.forward(device, x, whole.rows()).outputs.at("y");
    EXPECT_LE(max_error(in_batches(m, x, {30, 30}), y), 1e-12) << fields;
    if (m.state().layout().slots.front().window == 0) continue;
    EXPECT_LE(max_error(in_batches(m, x, {5, 30, 3, 2, 20}), y), 1e-12) << fields;
  }
}

TEST(AttentionMixer, WithoutAWindowABatchSeesOneBatchBack) {
  const MixerUnderTest m = mixer(", \"rope\": false"), narrow = mixer(", \"rope\": false, \"window\": 11");
  const Tensor x = m.input(30, 2);
  const std::vector<double> y = in_batches(m, x, {10, 10, 10});
  const Ragged rows({30});
  const std::vector<double> seen = narrow.forward(device, x, rows.rows()).outputs.at("y");
  const auto row20 = static_cast<ptrdiff_t>(20 * 16);  // the first of the third batch sees itself and ten before
  EXPECT_LE(max_error({y.begin() + row20, y.begin() + row20 + 16}, {seen.begin() + row20, seen.begin() + row20 + 16}),
            1e-12);
}

TEST(AttentionMixer, MaxKeysSlides) {
  const std::string conv = ", \"d_conv\": 4";  // its state is as long as ever, whatever slides
  const MixerUnderTest full = mixer(conv, DType::f32), windowed = mixer(conv + ", \"window\": 70", DType::f32);
  const Tensor x = full.input(300, 3);
  State state = windowed.state(), sliding = full.state();
  const std::vector<double> expected = windowed.advance_one(device, x, state);
  Arena scratch;
  State* states[] = {&sliding};
  AdvancePass pass{.exec = {pool_of(device), scratch, device.kernels()}, .max_keys = 70, .states = states};
  const Tensor y(DType::f32, {300, 16});
  for (int64_t at = 0; at < 300; at += 20) {
    const int32_t offsets[] = {0, 20};
    sliding.reserve(at + 20);
    full.mixer().advance(pass, x.view().row_range(at, 20), {offsets, {&at, 1}}, {}, y.view().row_range(at, 20));
    sliding.set_position(at + 20);
    for (const size_t slot : {0, 1}) sliding.drop_before(slot, at + 20 + 1 - 70);
  }
  EXPECT_EQ(to_doubles(y), expected);
  EXPECT_GT(sliding.first_block(0), 2);
}

// A head of q and k as long as its weights are large, whatever the projection gives; v as it came.
TEST(AttentionMixer, NormedQueriesAndKeysForgetTheirLength) {
  const MixerUnderTest normed = mixer(", \"qk_norm\": true, \"norm_eps\": 1e-12"), plain = mixer("");
  const auto y_when_scaled = [](const MixerUnderTest& m, double by) {
    for (Parameter* p : m.parameters())
      if (p->name.ends_with("qkv_proj.weight")) {
        const int64_t qk = p->elements() * 3 / 4;  // rows of 4 heads of q, 2 of k, 2 of v
        for (int64_t i = 0; i < qk; ++i) MixerUnderTest::set(*p, i, by * MixerUnderTest::get(*p, i));
        p->changed();
      }
    const Ragged rows({40});
    return m.forward(device, m.input(40, 4), rows.rows()).outputs.at("y");
  };
  const std::vector<double> y = y_when_scaled(normed, 1), y_plain = y_when_scaled(plain, 1);
  EXPECT_LE(max_error(y_when_scaled(normed, 3), y), 1e-9);
  EXPECT_GT(max_error(y_when_scaled(plain, 3), y_plain), 1e-3);
}

TEST(AttentionMixer, OptionsStartAsTheyShouldAndAreCounted) {
  const Place place{16, 16, 0, 0.5, "m"};
  const std::string heads = R"({"type": "attention", "n_heads": 4, "n_kv_heads": 2)";
  AttentionMixer plain({heads + "}", "test"}, place),
      full({heads + R"(, "qk_norm": true, "d_conv": 3})", "test"}, place);
  struct Start : ParameterVisitor {
    std::map<std::string, std::vector<double>> values;
    std::map<std::string, bool> decay;
    void visit(Parameter& p) override {
      p.allocate(DType::f64, false);
      p.initialise(1);
      values[p.name] = to_doubles(p.value);
      decay[p.name] = p.decay;
    }
  } start, without;
  full.visit_parameters(start);
  plain.visit_parameters(without);
  EXPECT_EQ(without.values.size(), 2u);
  for (const auto& [name, values] : without.values) EXPECT_EQ(start.values.at(name), values) << name;
  EXPECT_EQ(start.values.size(), 4u);
  EXPECT_EQ(start.values.at("m.qk_norm.weight"), std::vector<double>(24, 1));
  const std::vector<double>& taps = start.values.at("m.conv1d.weight");
  ASSERT_EQ(taps.size(), size_t{32 * 3});
  for (size_t i = 0; i < taps.size(); ++i)
    EXPECT_LE(std::abs(taps[i] - (i % 3 == 2 ? 1 : 0)), 1 / std::sqrt(3.0) + 1e-6) << i;
  EXPECT_NE(taps[0], taps[3]);
  EXPECT_FALSE(start.decay.at("m.conv1d.weight") || start.decay.at("m.qk_norm.weight"));

  for (const Pass pass : {Pass::forward, Pass::backward, Pass::step}) {
    const Cost with = full.cost(pass, 100, 50), bare = plain.cost(pass, 100, 50);
    EXPECT_EQ(with.flops - bare.flops, (pass == Pass::backward ? 4 : 2) * 32 * 3);
    EXPECT_EQ(with.state_bytes - bare.state_bytes, 32 * 2 * 4);
  }
}

TEST(AttentionMixer, ABlockKeepsWhatItMust) {
  const int64_t d = kept_width, both = 3 * d + d + 2 * kept_d_ff + 2 * d;  // q k v, y, gate and up, two sums
  for (const char* more : {"", R"(, "rope": false)", R"(, "qk_norm": true, "d_conv": 4)"})
    expect_kept(both, R"({"type": "attention", "n_heads": 2)" + std::string(more) + "}", true);
}

TEST(AttentionMixer, ImpossibleConfigsAreNamed) {
  for (const char* fields :
       {", \"n_kv_heads\": 3", ", \"rotary_dim\": 3", ", \"rotary_dim\": 6", ", \"window\": -1",
        ", \"headdim\": 1099511627776", ", \"rope_theta\": 0", ", \"head\": 2", ", \"n_heads\": 0", ", \"d_conv\": 1",
        ", \"d_conv\": -4", ", \"d_conv\": 1025", ", \"norm_eps\": 0", ", \"norm_eps\": \"inf\"", ", \"qk_norm\": 1"}) {
    try {
      AttentionConfig::read({"{\"type\": \"attention\", \"n_heads\": 4" + std::string(fields) + "}", "here"}, 16);
      ADD_FAILURE() << fields;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::config) << fields;
      EXPECT_NE(std::string(e.what()).find("here"), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace statera::test
