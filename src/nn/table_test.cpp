// A table in 8 and 4 bits takes rows of its own shape alone. What it reads: ops/embedding/embedding_test.cpp.
#include "nn/table.hpp"

#include <gtest/gtest.h>

#include "support/engine.hpp"
#include "support/error_of.hpp"

namespace statera::test {
namespace {

struct Find : ParameterVisitor {
  Parameter* found = nullptr;
  void visit(Parameter& parameter) override { found = &parameter; }
};

TEST(Table, TakesRowsOfItsShapeAlone) {
  Engine engine(1);
  Table table("layers.0.mixer.table", 7, 40, init_constant(0), 0.5);
  Find find;
  table.visit(find);
  EXPECT_TRUE(find.found->by_rows);
  EXPECT_EQ(find.found->lr_scale, 0.5);
  for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4}) {
    const auto take = [&](const Shape& shape) {
      return error_of([&] {
        store_of(*find.found)->take(pool_of(engine.device), QuantisedTensors::zero(format, shape), shape[1]);
      });
    };
    for (const Shape& other : {Shape{6, 40}, Shape{8, 40}, Shape{7, 38}, Shape{7, 72}})
      EXPECT_EQ(take(other).rfind("[table] layers.0.mixer.table: ", 0), 0u) << other << take(other);
    EXPECT_EQ(take({7, 40}), "");
  }
}

}  // namespace
}  // namespace statera::test
