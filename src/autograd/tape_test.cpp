#include "statera/tape.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/exec.hpp"
#include "core/memory.hpp"
#include "core/rows.hpp"
#include "statera/error.hpp"

namespace {
std::atomic<int64_t> heap_allocations{0};
}

[[gnu::noinline]] void* operator new(size_t size) {
  heap_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size ? size : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace statera {
namespace {

// Two operations are enough to test the tape: y = a * b, element by element, and y = sum of a.
Var mul(Tape& tape, Var a, Var b) {
  const View x = tape.value(a), y = tape.value(b);
  const Var out = tape.make(DType::f64, x.shape, tape.any_needs_grad(a, b));
  for (int64_t i = 0; i < x.elements(); ++i) tape.value(out).as<double>()[i] = x.as<double>()[i] * y.as<double>()[i];
  tape.record("mul", {out}, [a, b, out](Tape& t) {
    const View dout = t.grad(out), x = t.value(a), y = t.value(b);
    const GradSink da(t, a), db(t, b);
    for (int64_t i = 0; i < dout.elements(); ++i) {
      if (da.as<double>()) da.as<double>()[i] = dout.as<double>()[i] * y.as<double>()[i];
      if (db.as<double>()) db.as<double>()[i] = dout.as<double>()[i] * x.as<double>()[i];
    }
  });
  return out;
}

Var sum(Tape& tape, Var a) {
  const View x = tape.value(a);
  const Var out = tape.make(DType::f64, {}, tape.needs_grad(a));
  double total = 0;
  for (int64_t i = 0; i < x.elements(); ++i) total += x.as<double>()[i];
  *tape.value(out).as<double>() = total;
  tape.record("sum", {out}, [a, out](Tape& t) {
    const GradSink da(t, a);
    for (int64_t i = 0; i < da.view().elements(); ++i) da.as<double>()[i] = *t.grad(out).as<double>();
  });
  return out;
}

Tensor numbers(int64_t n, double first) {
  Tensor t(DType::f64, {n, 1});
  for (int64_t i = 0; i < n; ++i) t.as<double>()[i] = first + 0.1 * static_cast<double>(i);
  return t;
}

Device one_thread() { return Device::cpu({.threads = 1}); }

std::vector<double> values(const View& v) {
  const double* p = v.as<double>();
  return p ? std::vector<double>(p, p + v.elements()) : std::vector<double>();
}

TEST(Tape, SumOfProducts) {
  const Tensor x = numbers(5, 1), y = numbers(5, -2);
  Tape tape(one_thread());
  const Var a = tape.input(x), b = tape.input(y), loss = sum(tape, mul(tape, a, b));
  tape.backward(loss);
  EXPECT_NEAR(tape.item(loss), -2 - 1.1 * 1.9 - 1.2 * 1.8 - 1.3 * 1.7 - 1.4 * 1.6, 1e-12);
  EXPECT_EQ(values(tape.grad(a)), values(y));
  EXPECT_EQ(values(tape.grad(b)), values(x));
}

TEST(Tape, UsesOfOneValueAddUp) {
  const Tensor x = numbers(3, 2), k = numbers(3, 5);
  Tape tape(one_thread());
  const Var a = tape.input(x), square = mul(tape, a, a), cube = mul(tape, square, a);
  const Var both[] = {sum(tape, cube), sum(tape, mul(tape, square, tape.constant(k)))};
  double one = 1;
  const View seed(&one, DType::f64, {}), seeds[] = {seed, seed};
  tape.backward(both, seeds);
  for (int i = 0; i < 3; ++i) {
    const double v = x.as<double>()[i];
    EXPECT_NEAR(tape.grad(a).as<double>()[i], 3 * v * v + 2 * v * k.as<double>()[i], 1e-12);
  }
}

TEST(Tape, LeavesAccumulateInTheCallersMemory) {
  const Tensor x = numbers(4, 1), y = numbers(4, 3), grad(DType::f64, {4, 1});
  Tape tape(one_thread());
  for (int pass = 1; pass <= 3; ++pass) {
    tape.backward(sum(tape, mul(tape, tape.leaf(x, grad), tape.constant(y))));
    tape.reset();
    for (int i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(grad.as<double>()[i], pass * y.as<double>()[i]);
  }
}

TEST(Tape, OnlyWhatNeedsAGradientGetsOne) {
  const Tensor x = numbers(4, 1);
  Tape tape(one_thread());
  const Var a = tape.constant(x), b = tape.input(x);
  EXPECT_FALSE(tape.needs_grad(mul(tape, a, a)));
  EXPECT_TRUE(tape.needs_grad(mul(tape, a, b)));
  EXPECT_TRUE(tape.grad(a).empty());
  EXPECT_TRUE(tape.grad(Var()).empty());
  EXPECT_TRUE(GradSink(tape, Var()).view().empty());
  {
    const Tape::NoGrad off(tape);
    EXPECT_FALSE(tape.needs_grad(mul(tape, b, b)));
  }
  EXPECT_TRUE(tape.needs_grad(mul(tape, b, b)));
  tape.backward(sum(tape, mul(tape, a, a)));  // nobody needs it: nothing happens
  EXPECT_EQ(values(tape.grad(b)), std::vector<double>(4, 0));
}

TEST(Tape, AnOutputWithoutGradientIsEmptyInBackward) {
  const Tensor x = numbers(2, 1);
  Tape tape(one_thread());
  const Var a = tape.input(x);
  const Var used = tape.make(DType::f64, {2, 1}, true), unused = tape.make(DType::f64, {2, 1}, true);
  copy(x, tape.value(used));
  copy(x, tape.value(unused));
  bool called = false, empty = false;
  tape.record("split", {used, unused}, [a, used, unused, &called, &empty](Tape& t) {
    called = true;
    empty = t.grad(unused).empty();
    const GradSink da(t, a);
    copy(t.grad(used), da.view());
  });
  bool skipped = true;
  const Var nobody = tape.make(DType::f64, {2, 1}, true);
  tape.record("unused", {nobody}, [&skipped](Tape&) { skipped = false; });
  tape.backward(sum(tape, used));
  EXPECT_TRUE(called && empty && skipped);
  EXPECT_EQ(values(tape.grad(a)), std::vector<double>(2, 1));
}

TEST(Tape, NeedsAScalar) {
  const Tensor x = numbers(2, 1);
  Tape tape(one_thread());
  const Var a = tape.input(x);
  EXPECT_THROW(tape.backward(a), Error);
  EXPECT_THROW(tape.item(a), Error);
}

TEST(Tape, RunsBackwardOnce) {
  const Tensor x = numbers(2, 1);
  Tape tape(one_thread());
  for (int i = 0; i < 2; ++i) {
    const Var loss = sum(tape, tape.input(x));
    tape.backward(loss);
    EXPECT_THROW(tape.backward(loss), Error);
    tape.reset();
  }
}

TEST(Tape, GradientsAreFreedOnTheWayBack) {
  const int64_t n = 10'000;
  const Tensor x = numbers(n, 1);
  Tape tape(one_thread());
  std::vector<Var> chain{tape.input(x)};
  for (int i = 0; i < 50; ++i) chain.push_back(mul(tape, chain.back(), tape.constant(x)));
  const Var loss = sum(tape, chain.back());
  const size_t before = tape.bytes();
  tape.backward(loss);
  EXPECT_LE(tape.bytes() - before, 3 * (static_cast<size_t>(n) * sizeof(double) + 128))
      << "two or three buffers serve 50 gradients";
  for (size_t i = 1; i < chain.size(); ++i) EXPECT_TRUE(tape.grad(chain[i]).empty());
  EXPECT_FALSE(tape.grad(chain[0]).empty());
}

// y = (x w)^2 k, with a leaf inside and x used twice
Var segment(Tape& tape, Var x, const View& w, const View& dw) {
  const Tape::Scope scope(tape, "segment");
  const Var h = mul(tape, x, tape.leaf(w, dw));
  return mul(tape, mul(tape, h, h), x);
}

std::vector<double> step(Tape& tape, const Tensor& x, const Tensor& w, int depth) {
  const Tensor dw(DType::f64, w.shape());
  const Var in = tape.input(x);
  struct Run {
    static Var at(Tape& t, Var v, View w, View dw, int depth) {
      if (depth == 0) return segment(t, v, w, dw);
      Var out;
      checkpoint(t, std::span(&v, 1), std::span(&out, 1),
                 [w, dw, depth](Tape& inner, std::span<const Var> i, std::span<Var> o) {
                   o[0] = at(inner, i[0], w, dw, depth - 1);
                 });
      return out;
    }
  };
  Var y = in;
  for (int i = 0; i < 3; ++i) y = Run::at(tape, y, w, dw, depth);
  const Var loss = sum(tape, y);
  tape.backward(loss);
  std::vector<double> all = values(tape.grad(in));
  for (double v : values(dw)) all.push_back(v);
  all.push_back(tape.item(loss));
  tape.reset();
  return all;
}

TEST(Checkpoint, ChangesNoBit) {
  const Tensor x = numbers(7, 0.3), w = numbers(7, 0.7);
  Tape plain(one_thread()), once(one_thread()), nested(one_thread());
  const std::vector<double> expected = step(plain, x, w, 0);
  EXPECT_EQ(step(once, x, w, 1), expected);
  EXPECT_EQ(step(nested, x, w, 2), expected);
  EXPECT_EQ(step(once, x, w, 1), expected) << "a second step on the same tape";
}

TEST(Checkpoint, KeepsOnlyTheBorders) {
  const Tensor x = numbers(50'000, 0.3), w = numbers(50'000, 0.7);
  Tape plain(one_thread()), once(one_thread());
  step(plain, x, w, 0);
  step(once, x, w, 1);
  EXPECT_LT(once.peak_bytes(), plain.peak_bytes());
}

TEST(Tape, NothingFromTheHeapFromTheSecondStepOn) {
  const Tensor x = numbers(70'000, 0.3), w = numbers(70'000, 0.7), dw(DType::f64, w.shape());
  const int32_t offsets[] = {0, 2, 5};
  const int64_t start[] = {0, 0};
  Tape tape(Device::cpu({.threads = 2}));
  const auto run = [&] {
    const int64_t before = heap_allocations + memory_calls();
    {
      const Tape::Scope layer(tape, "layers.0");
      keep(tape, Rows{offsets, start});
      Var y = segment(tape, tape.input(x), w, dw), out;
      const View wv = w, dwv = dw;
      checkpoint(
          tape, std::span(&y, 1), std::span(&out, 1),
          [wv, dwv](Tape& inner, std::span<const Var> i, std::span<Var> o) { o[0] = segment(inner, i[0], wv, dwv); });
      Exec exec = exec_of(tape);
      const ArenaScope scratch(exec.scratch);
      exec.scratch.allocate(3 << 20);
      tape.backward(sum(tape, out));
      EXPECT_TRUE(tape.first_non_finite().empty());
    }
    tape.reset();
    return heap_allocations + memory_calls() - before;
  };
  EXPECT_GT(run(), 0);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(run(), 0) << "step " << i + 2;
}

TEST(Tape, NamesTheFirstValueThatIsNotFinite) {
  const Tensor x = numbers(3, 1), bad = numbers(3, 1);
  Tape tape(one_thread());
  const Var a = tape.input(x), b = tape.constant(bad);
  {
    const Tape::Scope layers(tape, "layers.3"), mixer(tape, "mixer");
    mul(tape, a, a);
    EXPECT_EQ(tape.first_non_finite(), "");
    bad.as<double>()[1] = std::numeric_limits<double>::infinity();
    mul(tape, a, b);
  }
  const Tape::Scope head(tape, "head");
  sum(tape, mul(tape, a, b));
  EXPECT_EQ(tape.first_non_finite(), "[mul] layers.3.mixer: inf");
  tape.reset();
  bad.as<double>()[1] = std::nan("");
  mul(tape, tape.input(x), tape.constant(bad));
  EXPECT_EQ(tape.first_non_finite(), "[mul] head: nan");
}

TEST(Tape, NamesTheFirstBadValueInsideACheckpoint) {
  const Tensor x = numbers(3, 1), bad = numbers(3, 1);
  bad.as<double>()[1] = std::numeric_limits<double>::infinity();
  Tape tape(one_thread());
  Var a = tape.input(x), out;
  const View factor = bad;
  const Tape::Scope layers(tape, "layers.3");
  checkpoint(tape, std::span(&a, 1), std::span(&out, 1),
             [factor](Tape& inner, std::span<const Var> i, std::span<Var> o) {
               const Tape::Scope first(inner, "layers.3.mixer");
               const Var finite = mul(inner, i[0], i[0]);
               const Tape::Scope second(inner, "out_proj");
               o[0] = mul(inner, mul(inner, finite, inner.constant(factor)), i[0]);
             });
  sum(tape, out);
  EXPECT_EQ(tape.first_non_finite(), "[mul] layers.3.mixer.out_proj: inf");
  EXPECT_EQ(tape.first_non_finite(), "[mul] layers.3.mixer.out_proj: inf");
  copy(x, bad);
  EXPECT_EQ(tape.first_non_finite(), "[checkpoint] layers.3: inf") << "made by what is no longer there";
}

// its value is fine, its gradient is not
Var bad_backward(Tape& tape, Var a) {
  const Var out = tape.make(DType::f64, tape.value(a).shape, tape.needs_grad(a));
  copy(tape.value(a), tape.value(out));
  tape.record("bad", {out}, [a](Tape& t) {
    const GradSink da(t, a);
    for (int64_t i = 0; i < da.view().elements(); ++i) da.as<double>()[i] = -std::numeric_limits<double>::infinity();
  });
  return out;
}

std::string numeric_error(Tape& tape, Var loss) {
  try {
    tape.backward(loss);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::numeric);
    tape.reset();
    return error.what();
  }
  tape.reset();
  return "";
}

TEST(Tape, ChecksGradientsWhenAsked) {
  const Tensor x = numbers(3, 1);
  Tape tape(one_thread());
  const auto loss = [&] {
    const Tape::Scope scope(tape, "layers.0");
    const Var a = tape.input(x), h = mul(tape, a, a);
    return sum(tape, bad_backward(tape, h));
  };
  EXPECT_EQ(numeric_error(tape, loss()), "");
  tape.check_gradients(true);
  EXPECT_EQ(numeric_error(tape, loss()), "[mul] layers.0: the gradient of its output is -inf");
  const auto inside = [&] {  // a segment in a segment
    Var a = tape.input(x), out;
    checkpoint(tape, std::span(&a, 1), std::span(&out, 1), [](Tape& t, std::span<const Var> i, std::span<Var> o) {
      checkpoint(t, i, o, [](Tape& inner, std::span<const Var> in, std::span<Var> res) {
        const Tape::Scope scope(inner, "layers.1");
        res[0] = bad_backward(inner, mul(inner, in[0], in[0]));
      });
    });
    return sum(tape, out);
  };
  EXPECT_EQ(numeric_error(tape, inside()), "[mul] layers.1: the gradient of its output is -inf");
  tape.check_gradients(false);
  EXPECT_EQ(numeric_error(tape, inside()), "");
}

TEST(Tape, KeptRowsOutliveTheirSource) {
  Tape tape(one_thread());
  std::vector<int32_t> offsets{0, 2, 2, 7};
  std::vector<int64_t> start{0, 4, 0};
  std::vector<int32_t> breaks{1, 5};
  const Rows kept = keep(tape, Rows{offsets, start, breaks});
  offsets.assign(4, -1);
  start.assign(3, -1);
  breaks.assign(2, -1);
  ASSERT_EQ(kept.breaks.size(), 2u);
  EXPECT_EQ(kept.breaks[1], 5);
  EXPECT_EQ(kept.sequences(), 3);
  EXPECT_EQ(kept.total(), 7);
  EXPECT_EQ(kept.length(2), 5);
  EXPECT_EQ(kept.start[1], 4);
}

TEST(Tape, APrecisionHoldsForTheTapeOfRecomputedSegmentsToo) {
  Tape tape(Device::cpu({.threads = 1}));
  EXPECT_EQ(child_of(tape).device().precision(), Precision::fp32);
  tape.set_precision(Precision::bf16);
  EXPECT_EQ(exec_of(tape).precision, Precision::bf16);
  EXPECT_EQ(exec_of(child_of(tape)).precision, Precision::bf16);
}

#ifndef NDEBUG  // release builds do not look, so that they pay nothing
// What would otherwise be another value, since the number of a Var means something on every tape.
TEST(Tape, AVarFromBeforeResetOrOfAnotherTapeIsAnError) {
  const Device device = Device::cpu({.threads = 1});
  Tape tape(device), other(device);
  double numbers[] = {3, 4};
  const View value(numbers, DType::f64, {1, 1}), gradient(numbers + 1, DType::f64, {1, 1});
  const auto is_refused = [&](Tape& on, Var var) {
    const std::function<void()> uses[] = {[&] { on.value(var); },
                                          [&] { on.item(var); },
                                          [&] { on.needs_grad(var); },
                                          [&] { on.grad(var); },
                                          [&] { const GradSink sink(on, var); },
                                          [&] { on.columns(var, 0, 1); },
                                          [&] { on.can_forget(var); },
                                          [&] { on.forget(var); },
                                          [&] { on.backward(var); },
                                          [&] { mul(on, var, var); },
                                          [&] { on.record("op", {var}, [](Tape&) {}); },
                                          [&] { const GradSink sink(on, var); }};
    for (const auto& use : uses) {
      try {
        use();
        ADD_FAILURE() << "no error: use " << &use - uses;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unsupported);
        EXPECT_NE(std::string(error.what()).find("a Var of another tape, or from before reset()"), std::string::npos)
            << error.what();
      }
    }
  };
  const Var before = tape.leaf(value, gradient), elsewhere = other.leaf(value, gradient);
  EXPECT_EQ(tape.item(before), 3);
  EXPECT_EQ(before.id, elsewhere.id);
  is_refused(tape, elsewhere);
  is_refused(child_of(tape), before);
  tape.reset();
  is_refused(tape, before);
  const Var now = tape.leaf(value, gradient);
  EXPECT_EQ(now.id, before.id);
  EXPECT_EQ(tape.item(now), 3);
  is_refused(tape, before);
  EXPECT_EQ(other.item(elsewhere), 3) << "the reset of one tape is none of another";
  EXPECT_THROW(tape.value(Var()), Error);
}
#endif

}  // namespace
}  // namespace statera
