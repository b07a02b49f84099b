// What is special about attention: inference on blocks gives the bits of training, however a prefill is split.
#include "ops/attention/attention.hpp"

#include <gtest/gtest.h>

#include "statera/random.hpp"
#include "support/tolerance.hpp"

namespace statera::test {
namespace {

Tensor random_rows(int64_t rows, int64_t cols, const char* name) {
  Tensor t(DType::f32, {rows, cols});
  const Random random(5, name);
  for (int64_t i = 0; i < rows * cols; ++i)
    t.as<float>()[i] = static_cast<float>(4 * random.uniform(static_cast<uint64_t>(i)) - 2);
  return t;
}

struct Sequence {  // the blocks of one sequence
  std::vector<Tensor> memory;
  std::vector<void*> k, v;
  Sequence(const AttentionOptions& o, int64_t positions) {
    for (int64_t b = 0; b * attention_block < positions; ++b) {
      for (auto* to : {&k, &v}) {
        memory.emplace_back(DType::f32, Shape{o.n_kv_heads, attention_block, to == &k ? o.headdim : o.value_dim});
        std::fill_n(memory.back().as<float>(), memory.back().view().elements(),
                    std::numeric_limits<float>::quiet_NaN());
        to->push_back(memory.back().view().data);
      }
    }
  }
  KvBlocks blocks() const { return {k.data(), v.data(), 0, 0}; }
};

std::vector<double> advance_in_pieces(const AttentionOptions& o, const AttentionInputs<View>& in,
                                      const std::vector<int32_t>& pieces, int threads) {
  const View &q = in.q, &k = in.k, &v = in.v;
  const Device device = Device::cpu({.threads = threads});
  Arena scratch;
  Exec exec{pool_of(device), scratch, device.kernels()};
  const Sequence sequence(o, q.rows());
  KvBlocks blocks = sequence.blocks();
  if (v.empty()) blocks.v = nullptr;
  const Tensor y(DType::f32, {q.rows(), o.n_heads * o.value_dim});
  int64_t at = 0;
  for (int32_t n : pieces) {
    const int32_t offsets[] = {0, n};
    const Rows rows{offsets, {&at, 1}};
    attention_append(exec, k.row_range(at, n), v.empty() ? v : v.row_range(at, n), rows, {&blocks, 1}, o);
    attention(exec, {.q = q.row_range(at, n), .sinks = in.sinks, .slopes = in.slopes}, y.view().row_range(at, n), rows,
              {&blocks, 1}, o);
    at += n;
  }
  return to_doubles(y);
}

void expect_bits_of_training(const AttentionOptions& o, const AttentionInputs<View>& in) {
  const auto length = static_cast<int32_t>(in.q.rows());
  Tape tape(Device::cpu({.threads = 2}));
  const int32_t offsets[] = {0, length};
  const int64_t start = 0;
  const Rows rows{offsets, {&start, 1}};
  const auto constant = [&](const View& v) { return v.empty() ? Var() : tape.constant(v); };
  const AttentionInputs<Var> vars{.q = constant(in.q),
                                  .k = constant(in.k),
                                  .v = constant(in.v),
                                  .sinks = constant(in.sinks),
                                  .slopes = constant(in.slopes)};
  const std::vector<double> whole = to_doubles(tape.value(attention(tape, vars, rows, rows, o)));
  const std::vector<int32_t> ones(static_cast<size_t>(length), 1);
  for (const std::vector<int32_t>& pieces :
       {std::vector<int32_t>{length}, ones, {64, 64, 64, 11}, {1, 100, 37, 65}, {63, 2, 138}})
    EXPECT_EQ(whole, advance_in_pieces(o, in, pieces, 2)) << o.window << " " << o.n_heads << " " << pieces.size();
}

TEST(Attention, AnySplitOfAPrefillGivesTheBitsOfTraining) {
  for (const int64_t window : {0, 50})
    for (const int64_t heads : {2, 6}) {
      AttentionOptions o{.n_heads = heads, .n_kv_heads = 2, .headdim = 20, .value_dim = 12, .window = window};
      constexpr int32_t length = 203;
      const Tensor q = random_rows(length, heads * 20, "q"), k = random_rows(length, 2 * 20, "k"),
                   v = random_rows(length, 2 * 12, "v");
      expect_bits_of_training(o, {.q = q, .k = k, .v = v});
      const Tensor sinks(DType::f32, {heads}), slopes(DType::f32, {heads});
      for (int64_t h = 0; h < heads; ++h) {
        sinks.as<float>()[h] = static_cast<float>(h) - 1.5f;
        slopes.as<float>()[h] = 0.3f / static_cast<float>(h + 1);
      }
      o.soft_cap = 1.5;
      sinks.as<float>()[0] = -std::numeric_limits<float>::infinity();  // no sink, in this head
      expect_bits_of_training(o, {.q = q, .k = k, .v = v, .sinks = sinks, .slopes = slopes});
      expect_bits_of_training(o, {.q = q, .k = k});  // values are the first channels of the keys
    }
}

TEST(Attention, ShapesAreChecked) {
  Tape tape;
  const Tensor x = random_rows(4, 8, "x");
  const int32_t offsets[] = {0, 4};
  const int64_t start = 0;
  const Rows rows{offsets, {&start, 1}};
  const Var var = tape.constant(x);
  EXPECT_THROW(
      attention(tape, {.q = var, .k = var, .v = var}, rows, rows, {.n_heads = 3, .n_kv_heads = 2, .headdim = 2}),
      Error);
  EXPECT_THROW(
      attention(tape, {.q = var, .k = var, .v = var}, rows, rows, {.n_heads = 2, .n_kv_heads = 1, .headdim = 4}),
      Error);
  const Tensor two(DType::f32, {2});
  EXPECT_THROW(attention(tape, {.q = var, .k = var, .v = var, .sinks = tape.constant(two)}, rows, rows,
                         {.n_heads = 4, .n_kv_heads = 4, .headdim = 2}),
               Error);
  EXPECT_THROW(
      attention(tape, {.q = var, .k = var}, rows, rows, {.n_heads = 4, .n_kv_heads = 4, .headdim = 2, .value_dim = 3}),
      Error);
}

}  // namespace
}  // namespace statera::test
