// The laws that hold for every operation, over the one table of shapes (all_op_cases): gradients agree with finite
// differences in double; the fast path agrees with double within the computed tolerance; all of an output is written
// and nothing after it; the number of threads changes no bit; a value that is made again in backward is the same.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "core/arena.hpp"
#include "ops/elementwise/elementwise.hpp"
#include "ops/gather_rows/gather_rows.hpp"
#include "ops/matmul/matmul.hpp"
#include "statera/loss.hpp"
#include "support/op_run.hpp"

namespace statera::test {
namespace {

std::vector<OpCase> cases(bool published) {
  std::vector<OpCase> all = all_op_cases();
  std::erase_if(all, [&](const OpCase& c) { return c.benchmark != published; });
  return all;
}

// Published shapes take minutes in double: ./test --full asks for them. Finite differences stay with the small ones.
std::vector<OpCase> published_cases() {
  return std::getenv("STATERA_PUBLISHED_SHAPES") ? cases(true) : std::vector<OpCase>{};
}

class OpLaws : public testing::TestWithParam<OpCase> {
 protected:
  void SetUp() override { Arena::set_poison(true); }
  void TearDown() override { Arena::set_poison(false); }
  const Device reference = Device::cpu({.threads = 1, .kernels = KernelChoice::reference});
};

TEST_P(OpLaws, GradientIsTheFiniteDifference) {
  const OpCase& c = GetParam();
  if (c.surrogate) GTEST_SKIP() << "its gradient is on purpose not that of its function; golden files check it";
  const NamedDoubles inputs = random_inputs(c, 1);
  const OpResult at = run_case(c, DType::f64, reference, inputs);
  for (const OpInput& input : c.inputs) {
    if (!input.gradient) continue;
    for (uint64_t trial = 0; trial < 2; ++trial) {  // along random directions in this one input; five-point stencil
      const Random random(trial + 11, "direction/" + input.name);
      double expected = 0;
      std::vector<double> direction(inputs.at(input.name).size());
      for (size_t i = 0; i < direction.size(); ++i) {
        direction[i] = random.normal(i);
        expected += direction[i] * at.grads.at(input.name)[i];
      }
      const double h = 1e-4 / std::max(1.0, norm(direction) / std::sqrt(static_cast<double>(direction.size())));
      const auto moved = [&](double by) {
        NamedDoubles shifted = inputs;
        for (size_t i = 0; i < direction.size(); ++i) shifted[input.name][i] += by * direction[i];
        return objective(run_case(c, DType::f64, reference, shifted, nullptr, false));
      };
      const double slope = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h);
      EXPECT_NEAR(slope, expected, 1e-6 * std::max(1.0, std::abs(expected)))
          << c.op << "/" << c.name << " d" << input.name;
    }
  }
}

void fast_is_reference(const OpCase& c, const Device& reference) {
  const NamedDoubles inputs = random_inputs(c, 2);
  const OpResult truth = run_case(c, DType::f64, reference, inputs);
  const OpResult plain = run_case(c, DType::f32, reference, inputs);
  const OpResult fast = run_case(c, DType::f32, Device::cpu({.threads = 2}), inputs);
  const auto compare = [&](const char* kind, const NamedDoubles& t, const NamedDoubles& p, const NamedDoubles& f) {
    for (const auto& [name, values] : t) {
      const double allowed = computed_tolerance(relative_l2(p.at(name), values), c.reduction, values.size());
      EXPECT_LE(relative_l2(f.at(name), values), allowed) << c.op << "/" << c.name << " " << kind << name;
      EXPECT_LE(relative_l2(p.at(name), values), 1e-4)
          << c.op << "/" << c.name << " reference in float, " << kind << name;
    }
  };
  compare("", truth.outputs, plain.outputs, fast.outputs);
  compare("d", truth.grads, plain.grads, fast.grads);
}

// Portable kernels have the bits of the reference, which no instruction set and no number of threads changes.
TEST_P(OpLaws, PortableHasTheBitsOfTheReference) {
  const OpCase& c = GetParam();
  const NamedDoubles inputs = random_inputs(c, 3);
  const OpResult plain = run_case(c, DType::f32, reference, inputs);
  for (const int threads : {1, 3}) {
    const Device portable = Device::cpu({.threads = threads, .kernels = KernelChoice::portable});
    const OpResult got = run_case(c, DType::f32, portable, inputs);
    EXPECT_EQ(got.outputs, plain.outputs) << c.op << "/" << c.name;
    EXPECT_EQ(got.grads, plain.grads) << c.op << "/" << c.name;
  }
}

TEST_P(OpLaws, FastIsReferenceInDouble) { fast_is_reference(GetParam(), reference); }

TEST_P(OpLaws, ThreadsChangeNoBit) {
  const OpCase& c = GetParam();
  const NamedDoubles inputs = random_inputs(c, 3);
  const OpResult one = run_case(c, DType::f32, Device::cpu({.threads = 1}), inputs);
  for (int threads : {2, 3}) {
    const OpResult many = run_case(c, DType::f32, Device::cpu({.threads = threads}), inputs);
    EXPECT_EQ(one.outputs, many.outputs) << c.op << "/" << c.name << " at " << threads << " threads";
    EXPECT_EQ(one.grads, many.grads) << c.op << "/" << c.name << " at " << threads << " threads";
  }
}

// The face of inference gives the bits of the tape's, and moves the states to where the tape's end.
TEST_P(OpLaws, AdvanceIsForward) {
  const OpCase& c = GetParam();
  if (!c.advance) GTEST_SKIP() << "only training calls it";
  const NamedDoubles inputs = random_inputs(c, 4);
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Device device = Device::cpu({.threads = 2});
    const OpResult expected = run_case(c, dtype, device, inputs, nullptr, false);
    std::vector<Tensor> values;
    NamedViews views;
    for (const OpInput& input : c.inputs) {
      values.push_back(to_tensor(dtype, input.shape, inputs.at(input.name)));
      views[input.name] = values.back();
    }
    const Tensor y(dtype, expected.shapes.at("y"));
    Arena scratch;
    Exec exec{pool_of(device), scratch, device.kernels()};
    c.advance(exec, views, y)(exec);
    EXPECT_EQ(to_doubles(y), expected.outputs.at("y")) << c.op << "/" << c.name;
    if (views.contains("initial")) {
      EXPECT_EQ(to_doubles(views.at("initial")), expected.outputs.at("last")) << c.op << "/" << c.name;
    }
  }
}

// Columns of wider values, read or written, give the same bits, and nothing beside them changes. An operation that
// needs whole values says so instead.
TEST_P(OpLaws, AdvanceWorksOnColumns) {
  const OpCase& c = GetParam();
  if (!c.advance) GTEST_SKIP() << "only training calls it";
  const NamedDoubles inputs = random_inputs(c, 6);
  const OpResult whole = run_case(c, DType::f32, reference, inputs, nullptr, false);
  const auto run = [&](const Device& device, bool in, bool out) {
    std::vector<Tensor> values;
    const auto place = [&](const Shape& shape, const std::vector<double>& filled, bool columns) {
      if (!columns) return View(values.emplace_back(to_tensor(DType::f32, shape, filled)));
      const int64_t rows = shape[0], width = shape[1];
      std::vector<double> wide(rows * (width + 3), 0.5);
      for (int64_t r = 0; r < rows; ++r) std::copy_n(&filled[r * width], width, &wide[r * (width + 3) + 1]);
      return View(values.emplace_back(to_tensor(DType::f32, {rows, width + 3}, wide))).columns(1, width);
    };
    NamedViews views;
    for (const OpInput& input : c.inputs)
      views[input.name] = place(input.shape, inputs.at(input.name), in && input.shape.rank() == 2);
    const View y = place(whole.shapes.at("y"), whole.outputs.at("y"), out);
    Arena scratch;
    Exec exec{pool_of(device), scratch, device.kernels()};
    c.advance(exec, views, y)(exec);
    const std::vector<double> all = to_doubles(values.back());
    if (!out) return all;
    std::vector<double> result;
    for (size_t i = 0; i < all.size(); ++i) {
      const int64_t column = static_cast<int64_t>(i) % (y.cols() + 3) - 1;
      if (column >= 0 && column < y.cols())
        result.push_back(all[i]);
      else
        EXPECT_EQ(all[i], 0.5) << c.op << "/" << c.name << " wrote beside its columns";
    }
    return result;
  };
  for (const Device& device : {Device::cpu({.threads = 2}), reference}) {
    const std::vector<double> expected = run(device, false, false);
    for (const auto& [in, out] : {std::pair(true, false), {false, true}, {true, true}}) {
      if (out && whole.shapes.at("y").rank() != 2) continue;
      try {
        EXPECT_EQ(run(device, in, out), expected) << c.op << "/" << c.name << " columns in, out: " << in << out;
      } catch (const Error& refused) {
        EXPECT_NE(std::string(refused.what()).find("whole"), std::string::npos) << refused.what();
      }
    }
  }
}

// A value that forward has forgotten comes back as it was (Tape::forget).
TEST_P(OpLaws, WhatIsMadeAgainIsTheSame) {
  const OpCase& c = GetParam();
  const NamedDoubles inputs = random_inputs(c, 5);
  const Device fast = Device::cpu({.threads = 2});
  for (const auto& [device, dtype] : {std::pair(fast, DType::f32),
                                      {fast.with(Precision::bf16), DType::f32},
                                      {reference, DType::f32},
                                      {reference, DType::f64}}) {
    Tape tape(device);
    std::vector<Tensor> values;
    NamedVars vars;
    for (const OpInput& input : c.inputs) {
      values.push_back(to_tensor(dtype, input.shape, inputs.at(input.name)));
      vars[input.name] = tape.input(values.back());
    }
    const NamedVars outputs = c.run(tape, vars);
    for (const auto& [name, var] : outputs) {
      if (!tape.can_forget(var)) continue;
      const std::vector<double> before = to_doubles(tape.value(var));
      tape.forget(var);
      EXPECT_EQ(to_doubles(tape.value(var)), before) << c.op << "/" << c.name << " " << name;
    }
  }
}

// What `statera bench --ops` is: every operation at a shape of the presets, and where it serves inference, its step
// too.
TEST(OpCases, EveryOperationIsBenchmarked) {
  std::set<std::string> all, trained, served, stepped;
  for (const OpCase& c : all_op_cases()) {
    all.insert(c.op);
    if (c.advance) served.insert(c.op);
    if (c.benchmark) (c.step ? stepped : trained).insert(c.op);
  }
  EXPECT_EQ(trained, all);
  EXPECT_EQ(stepped, served);
}

INSTANTIATE_TEST_SUITE_P(AllOps, OpLaws, testing::ValuesIn(cases(false)),
                         [](const auto& info) { return info.param.op + "_" + info.param.name; });

using PublishedShapes = OpLaws;
TEST_P(PublishedShapes, FastIsReferenceInDouble) { fast_is_reference(GetParam(), reference); }
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PublishedShapes);
INSTANTIATE_TEST_SUITE_P(AllOps, PublishedShapes, testing::ValuesIn(published_cases()),
                         [](const auto& info) { return info.param.op + "_" + info.param.name; });

// One value in two places of an operation whose gradients are made one after the other.
TEST(MatmulOfOneValue, BothGradientsArrive) {
  Tensor x(DType::f64, {2, 2}), dy(DType::f64, {2, 2});
  const double xs[] = {1, -2, 3, 0.5}, dys[] = {0.25, 2, -1, 4};
  std::copy_n(xs, 4, x.as<double>());
  std::copy_n(dys, 4, dy.as<double>());
  Tape tape(Device::cpu({.threads = 1}));
  const Var in = tape.input(x), inner = scaled(tape, in, 2);  // no parameter: nothing has arrived there yet
  const Var y = matmul(tape, inner, inner);
  const View seed = dy;
  tape.backward(std::span(&y, 1), std::span(&seed, 1));
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      double expected = 0;  // y = s s^T: ds = (dy + dy^T) s, s = 2 x
      for (int k = 0; k < 2; ++k) expected += (dys[i * 2 + k] + dys[k * 2 + i]) * 2 * xs[k * 2 + j];
      EXPECT_DOUBLE_EQ(tape.grad(in).as<double>()[i * 2 + j], 2 * expected) << i << " " << j;
    }
}

TEST(CrossEntropy, OfColumnsWritesTheirGradientsAlone) {
  Tensor x(DType::f32, {2, 5});
  for (int i = 0; i < 10; ++i) x.as<float>()[i] = static_cast<float>(i % 4);
  Tape tape(Device::cpu({.threads = 1}));
  const Var in = tape.input(x), inner = scaled(tape, in, 1.5);
  const std::vector<int32_t> targets{2, 0};
  tape.backward(cross_entropy(tape, tape.columns(inner, 1, 3), targets));
  const std::vector<int32_t> order{0, 1};
  Tape other(Device::cpu({.threads = 1}));
  const Var in2 = other.input(x), inner2 = scaled(other, in2, 1.5);
  const Var copied = gather_rows(other, other.columns(inner2, 1, 3), {}, order, {2, 3});
  other.backward(cross_entropy(other, copied, targets));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(tape.grad(in).as<float>()[i], other.grad(in2).as<float>()[i]) << i;
}

}  // namespace
}  // namespace statera::test
