// What is special about the attention mixer: keys carried between batches, the narrowed window of inference, bad configs.
#include "mixers/attention/attention.hpp"

#include <gtest/gtest.h>

#include "conformance/mixer_run.hpp"

namespace statera::test {
namespace {

const Device device = Device::cpu({.threads = 2});

MixerUnderTest mixer(const std::string& fields, DType dtype = DType::f64) {
  return MixerUnderTest({"attention", "test", "{\"type\": \"attention\", \"n_heads\": 4, \"n_kv_heads\": 2" + fields + "}", 16}, dtype);
}

// Runs three batches of two sequences, each going on where it ended, and returns the rows of y of the second sequence.
std::vector<double> in_batches(const MixerUnderTest& m, const Tensor& x, const std::vector<int32_t>& lengths) {
  const int64_t width = x.shape()[1];
  std::vector<double> y;
  std::vector<Tensor> carried;
  for (int32_t at = 0; int32_t length : lengths) {
    Tensor both(x.dtype(), {2 * length, width});
    copy(x.view().row_range(at, length), both.view().row_range(0, length));
    copy(x.view().row_range(at, length), both.view().row_range(length, length));
    const Ragged rows({length, length}, at);
    const OpResult result = m.forward(device, both, rows.rows(), at > 0 ? &carried : nullptr);
    const std::vector<double>& all = result.outputs.at("y");
    y.insert(y.end(), all.begin() + length * width, all.end());
    carried.clear();
    for (const char* name : {"last.0", "last.1"}) carried.push_back(to_tensor(x.dtype(), result.shapes.at(name), result.outputs.at(name)));
    at += length;
  }
  return y;
}

TEST(AttentionMixer, CarriedKeysContinueTheSequence) {
  for (const char* fields : {"", ", \"window\": 9", ", \"window\": 1", ", \"rope_interleaved\": true, \"rotary_dim\": 2"}) {
    const MixerUnderTest m = mixer(fields);
    const Tensor x = m.input(60, 1);
    const Ragged whole({60});
    const std::vector<double> y = m.forward(device, x, whole.rows()).outputs.at("y");
    EXPECT_LE(max_error(in_batches(m, x, {30, 30}), y), 1e-12) << fields;
    if (m.mixer().window() == 0) continue;
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
  EXPECT_LE(max_error({y.begin() + row20, y.begin() + row20 + 16}, {seen.begin() + row20, seen.begin() + row20 + 16}), 1e-12);
}

TEST(AttentionMixer, MaxKeysSlides) {
  const MixerUnderTest full = mixer("", DType::f32), windowed = mixer(", \"window\": 70", DType::f32);
  const Tensor x = full.input(300, 3);
  State state = windowed.state(), sliding = full.state();
  const std::vector<double> expected = windowed.advance_one(device, x, state);
  Arena scratch;
  Context context{{device.pool(), scratch, device.kernels()}, /*max_keys=*/70};
  const Tensor y(DType::f32, {300, 16});
  State* states[] = {&sliding};
  for (int64_t at = 0; at < 300; at += 20) {
    const int32_t offsets[] = {0, 20};
    sliding.reserve(at + 20);
    full.mixer().advance(context, x.view().row_range(at, 20), {offsets, {&at, 1}}, states, y.view().row_range(at, 20));
    sliding.set_position(at + 20);
    sliding.drop_before(at + 20 + 1 - 70);
  }
  EXPECT_EQ(to_doubles(y), expected);
  EXPECT_GT(sliding.first_block(), 2);
}

TEST(AttentionMixer, ImpossibleConfigsAreNamed) {
  for (const char* fields : {", \"n_kv_heads\": 3", ", \"rotary_dim\": 3", ", \"rotary_dim\": 6", ", \"window\": -1", ", \"headdim\": 1099511627776",
                             ", \"rope_theta\": 0", ", \"head\": 2", ", \"n_heads\": 0"}) {
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
