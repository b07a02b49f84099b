// What is special about attention: inference on blocks gives the bits of training, however a prefill is split.
#include "ops/attention/attention.hpp"

#include <gtest/gtest.h>

#include "core/random.hpp"
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

std::vector<double> advance_in_pieces(const AttentionOptions& o, const View& q, const View& k, const View& v,
                                      const std::vector<int32_t>& pieces, int threads) {
  const Device device = Device::cpu({.threads = threads});
  Arena scratch;
  Exec exec{device.pool(), scratch, device.kernels()};
  const Sequence sequence(o, q.rows());
  const KvBlocks blocks = sequence.blocks();
  const Tensor y(DType::f32, {q.rows(), o.n_heads * o.value_dim});
  int64_t at = 0;
  for (int32_t n : pieces) {
    const int32_t offsets[] = {0, n};
    const Rows rows{offsets, {&at, 1}};
    attention_append(exec, k.row_range(at, n), v.row_range(at, n), rows, {&blocks, 1}, o);
    attention(exec, q.row_range(at, n), y.view().row_range(at, n), rows, {&blocks, 1}, o);
    at += n;
  }
  return to_doubles(y);
}

TEST(Attention, AnySplitOfAPrefillGivesTheBitsOfTraining) {
  for (const int64_t window : {0, 50})
    for (const int64_t heads : {2, 6}) {
      const AttentionOptions o{.n_heads = heads, .n_kv_heads = 2, .headdim = 20, .value_dim = 12, .window = window};
      constexpr int32_t length = 203;
      const Tensor q = random_rows(length, heads * 20, "q"), k = random_rows(length, 2 * 20, "k"),
                   v = random_rows(length, 2 * 12, "v");
      Tape tape(Device::cpu({.threads = 2}));
      const int32_t offsets[] = {0, length};
      const int64_t start = 0;
      const Rows rows{offsets, {&start, 1}};
      const std::vector<double> whole =
          to_doubles(tape.value(attention(tape, tape.constant(q), tape.constant(k), tape.constant(v), rows, rows, o)));
      const std::vector<int32_t> ones(length, 1);
      for (const std::vector<int32_t>& pieces :
           {std::vector<int32_t>{length}, ones, {64, 64, 64, 11}, {1, 100, 37, 65}, {63, 2, 138}})
        EXPECT_EQ(whole, advance_in_pieces(o, q, k, v, pieces, 2)) << window << " " << heads << " " << pieces.size();
    }
}

TEST(Attention, ShapesAreChecked) {
  Tape tape;
  const Tensor x = random_rows(4, 8, "x");
  const int32_t offsets[] = {0, 4};
  const int64_t start = 0;
  const Rows rows{offsets, {&start, 1}};
  const Var var = tape.constant(x);
  EXPECT_THROW(attention(tape, var, var, var, rows, rows, {.n_heads = 3, .n_kv_heads = 2, .headdim = 2}), Error);
  EXPECT_THROW(attention(tape, var, var, var, rows, rows, {.n_heads = 2, .n_kv_heads = 1, .headdim = 4}), Error);
}

}  // namespace
}  // namespace statera::test
