// Tables in 8 and 4 bits: every element is value times scale and nothing else, sums in the order of the ids, bits, what
// rounding costs at most, bad use. What holds for tables of floats: op_laws_test.cpp.
#include "ops/embedding/embedding.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "statera/error.hpp"
#include "support/engine.hpp"
#include "support/tolerance.hpp"

namespace statera::test {
namespace {

constexpr WeightFormat formats[] = {WeightFormat::int8, WeightFormat::int4};
constexpr int64_t widths[] = {1, 5, 31, 32, 33, 96, 127};

QuantisedTensors quantised(const View& table, WeightFormat format) {
  Engine engine(2);
  QuantisedTensors made = QuantisedTensors::zero(format, table.shape);
  quantise(pool_of(engine.device), table, made.view());
  return made;
}

// Element [row, c] of the table as quantised.md has it, read without the code under test.
float element(const QuantisedTensors& t, int64_t row, int64_t c) {
  const float scale = t.scales.as<float>()[row * t.scales.shape()[1] + c / 32];
  const int64_t width = t.values.shape()[1];
  if (t.format == WeightFormat::int8) return scale * static_cast<float>(t.values.as<int8_t>()[row * width + c]);
  const int byte = t.values.as<uint8_t>()[row * width + c / 2];
  return scale * static_cast<float>((c % 2 ? byte >> 4 : byte & 15) - 8);
}

std::vector<int32_t> some_ids(int64_t count, int64_t rows) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>((i * i * 31 + i) % rows));
  return ids;
}

struct Expected {
  std::vector<double> summed, joined;
};
Expected expected(const QuantisedTensors& table, const std::vector<int32_t>& ids, int64_t per_row, int64_t width) {
  Expected e;
  for (size_t i = 0; i < ids.size(); i += static_cast<size_t>(per_row)) {
    const int32_t* read = &ids[i];
    for (int64_t k = 0; k < per_row; ++k)
      for (int64_t c = 0; c < width; ++c) e.joined.push_back(static_cast<double>(element(table, read[k], c)));
    for (int64_t c = 0; c < width; ++c) {
      float sum = element(table, read[0], c);
      for (int64_t k = 1; k < per_row; ++k) sum += element(table, read[k], c);
      e.summed.push_back(static_cast<double>(sum));
    }
  }
  return e;
}

TEST(QuantisedTable, ReadsValueTimesScaleAndAddsInTheOrderOfTheIds) {
  Arena::set_poison(true);  // values of a tape are NaN before
  for (WeightFormat format : formats)
    for (int64_t width : widths) {
      const QuantisedTensors table = quantised(random_tensor("table", {300, width}), format);
      for (int64_t per_row : {1, 3})
        for (int64_t rows : {1, 5, 67, 200}) {
          const std::vector<int32_t> ids = some_ids(rows * per_row, 300);
          const Expected e = expected(table, ids, per_row, width);
          for (int threads : {1, 3}) {
            Engine engine(threads);
            const Tensor y(DType::f32, {rows, width}), wide(DType::f32, {rows, per_row * width});
            embedding(engine.exec, ids, table.view(), width, y);
            embedding(engine.exec, ids, table.view(), width, wide);
            EXPECT_EQ(to_doubles(y), e.summed) << name_of(format) << " " << width;
            EXPECT_EQ(to_doubles(wide), e.joined) << name_of(format) << " " << width;
            Tape tape(engine.device);
            const Var sum = embedding(tape, ids, table.view(), width, per_row),
                      all = embedding(tape, ids, table.view(), width, per_row, Joined::side_by_side);
            EXPECT_EQ(to_doubles(tape.value(sum)), e.summed) << name_of(format) << " " << width;
            EXPECT_EQ(to_doubles(tape.value(all)), e.joined) << name_of(format) << " " << width;
            EXPECT_FALSE(tape.needs_grad(sum));
          }
        }
    }
  Arena::set_poison(false);
}

// |sum of rows - sum of rounded rows| <= half a scale for each (int4: a scale, since it reaches -8 but only +7), and
// what adding in float costs.
TEST(QuantisedTable, ErrsNoMoreThanItsScalesAllow) {
  const int64_t width = 100, rows = 50, per_row = 4;
  const Tensor table = random_tensor("table", {97, width}, 0.02f);
  const std::vector<int32_t> ids = some_ids(rows * per_row, 97);
  for (WeightFormat format : formats) {
    const QuantisedTensors small = quantised(table, format);
    Engine engine(2);
    const Tensor y(DType::f32, {rows, width});
    embedding(engine.exec, ids, small.view(), width, y);
    double worst = 0;
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t c = 0; c < width; ++c) {
        double exact = 0, allowed = 1e-7;
        for (int64_t k = 0; k < per_row; ++k) {
          const int32_t id = ids[static_cast<size_t>(n * per_row + k)];
          exact += static_cast<double>(table.as<float>()[id * width + c]);
          allowed += (format == WeightFormat::int8 ? 0.5 : 1) *
                     std::abs(static_cast<double>(small.scales.as<float>()[id * 4 + c / 32]));
        }
        const double error = std::abs(static_cast<double>(y.as<float>()[n * width + c]) - exact);
        ASSERT_LE(error, allowed) << name_of(format) << " " << n << ", " << c;
        worst = std::max(worst, error / allowed);
      }
    EXPECT_GT(worst, 0.3) << name_of(format);  // so the bound is one
  }
}

TEST(QuantisedTable, WritesColumnsOfAWiderValueAndNothingBesideThem) {
  Engine engine(2);
  const std::vector<int32_t> ids = some_ids(2 * 19, 40);
  const Tensor out(DType::f32, {19, 60}), whole(DType::f32, {19, 37});
  for (WeightFormat format : formats) {
    const QuantisedTensors table = quantised(random_tensor("table", {40, 37}), format);
    const View y = out.view().columns(10, 37);
    embedding(engine.exec, ids, table.view(), 37, y);
    embedding(engine.exec, ids, table.view(), 37, whole);
    EXPECT_EQ(to_doubles(y), to_doubles(whole));
    EXPECT_EQ(norm(to_doubles(out.view().columns(0, 10))) + norm(to_doubles(out.view().columns(47, 13))), 0);
  }
}

// A file may hold any byte and any finite scale.
TEST(QuantisedTable, TakesEveryByteThatAFileMayHold) {
  Engine engine(1);
  for (WeightFormat format : formats) {
    const QuantisedTensors table = QuantisedTensors::zero(format, {8, 64});
    auto* bytes = static_cast<uint8_t*>(table.values.view().data);
    for (size_t i = 0; i < table.values.view().bytes(); ++i) bytes[i] = static_cast<uint8_t>(i);
    for (int64_t i = 0; i < 16; ++i) table.scales.as<float>()[i] = i % 2 ? -0.5f : 1e-30f;
    const std::vector<int32_t> ids = {7, 0, 6, 1, 5, 2, 4, 3};
    const Tensor y(DType::f32, {8, 64});
    embedding(engine.exec, ids, table.view(), 64, y);
    EXPECT_EQ(to_doubles(y), expected(table, ids, 1, 64).summed);
  }
}

TEST(QuantisedTable, FitsItsShapes) {
  Engine engine(1);
  const std::vector<int32_t> ids = {3, 0}, outside = {3, 9}, below = {-1, 3};
  const Tensor y(DType::f32, {2, 33}), narrow(DType::f32, {2, 32}), doubles(DType::f64, {2, 33});
  for (WeightFormat format : formats) {
    const QuantisedTensors table = quantised(random_tensor("table", {9, 33}), format);
    embedding(engine.exec, ids, table.view(), 33, y);
    const auto refused = [&](std::span<const int32_t> read, const QuantisedMatrix& from, int64_t d, const View& to) {
      try {
        embedding(engine.exec, read, from, d, to);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::shape);
        return std::string(error.what());
      }
      return std::string();
    };
    for (const auto& bad : {outside, below})
      EXPECT_NE(refused(bad, table.view(), 33, y).find("is not in 0 to 8"), std::string::npos);
    EXPECT_NE(refused(ids, table.view(), 33, narrow), "");
    EXPECT_NE(refused(ids, table.view(), 33, doubles), "");
    EXPECT_NE(refused(ids, table.view(), 31, y.view().columns(0, 31)).find("[9, 31] got values"), std::string::npos);
    EXPECT_NE(refused(ids, {format, table.scales, table.scales}, 33, y), "");
    // the right shapes, as columns of something wider
    const QuantisedMatrix good = table.view();
    const Tensor values(good.values.dtype, {9, 40}), scales(DType::f32, {9, 3});
    const View gaps = values.view().columns(0, good.values.cols()), few = scales.view().columns(0, 2);
    EXPECT_NE(refused(ids, {format, gaps, good.scales}, 33, y).find("with gaps between rows and scales"),
              std::string::npos);
    EXPECT_NE(refused(ids, {format, good.values, few}, 33, y).find("f32[9, 2] with gaps"), std::string::npos);
    embedding(engine.exec, {}, table.view(), 33, y.view().row_range(0, 0));
  }
}

}  // namespace
}  // namespace statera::test
