#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "statera/random.hpp"
#include "statera/error.hpp"
#include "statera/optimizer.hpp"

namespace statera {
namespace {

constexpr int64_t odd = 8192 + 37;  // more than one block, and no multiple of a vector

struct Two {  // a matrix that decays and a bias that does not
  Parameter matrix{"matrix", {odd}, init_normal(0.5), true}, bias{"bias", {3}, init_normal(0.5)};
  explicit Two(DType dtype) {
    for (Parameter* p : all()) p->allocate(dtype, true), p->initialise(1);
  }
  std::vector<Parameter*> all() { return {&matrix, &bias}; }
};

double get(const View& v, int64_t i) {
  return v.dtype == DType::f64 ? v.as<double>()[i] : static_cast<double>(v.as<float>()[i]);
}
void set(const View& v, int64_t i, double x) {
  if (v.dtype == DType::f64)
    v.as<double>()[i] = x;
  else
    v.as<float>()[i] = static_cast<float>(x);
}

void set_gradients(Two& two, int64_t step, double scale) {
  for (Parameter* p : two.all())
    for (int64_t i = 0; i < p->elements(); ++i)
      set(p->grad, i, scale * Random(7, p->name).normal(static_cast<uint64_t>(step * odd + i)));
}

// Algorithm 2 of the paper in double, on vectors.
struct Plain {
  AdamWOptions o;
  std::vector<std::vector<double>> w, m, v;
  explicit Plain(Two& two, AdamWOptions options) : o(options) {
    for (Parameter* p : two.all()) {
      w.emplace_back();
      for (int64_t i = 0; i < p->elements(); ++i) w.back().push_back(get(p->value, i));
      m.emplace_back(w.back().size());
      v.emplace_back(w.back().size());
    }
  }
  double step(Two& two, int t, double factor) {
    double sum = 0;
    for (Parameter* p : two.all())
      for (int64_t i = 0; i < p->elements(); ++i) sum += get(p->grad, i) * get(p->grad, i);
    const double norm = std::sqrt(sum), clip = o.clip > 0 && norm > double(o.clip) ? double(o.clip) / norm : 1,
                 lr = factor * double(o.lr);
    for (size_t k = 0; k < 2; ++k)
      for (size_t i = 0; i < w[k].size(); ++i) {
        const double g = clip * get(two.all()[k]->grad, static_cast<int64_t>(i)), b1 = double(o.beta1),
                     b2 = double(o.beta2);
        m[k][i] = b1 * m[k][i] + (1 - b1) * g;
        v[k][i] = b2 * v[k][i] + (1 - b2) * g * g;
        if (k == 0) w[k][i] -= lr * double(o.weight_decay) * w[k][i];
        w[k][i] -=
            lr * (m[k][i] / (1 - std::pow(b1, t))) / (std::sqrt(v[k][i] / (1 - std::pow(b2, t))) + double(o.eps));
      }
    return norm;
  }
};

void agrees(DType dtype, double gradient_scale, double tolerance) {
  Two two(dtype);
  const AdamWOptions options{.lr = 0.01f, .weight_decay = 0.2f};
  AdamW optimizer(two.all(), options, Device::cpu({.threads = 2}));
  Plain plain(two, options);
  for (int t = 1; t <= 5; ++t) {
    set_gradients(two, t, gradient_scale);
    const double norm = plain.step(two, t, 1.0 / t);
    const uint64_t version = two.matrix.version;
    EXPECT_NEAR(optimizer.step(1.0 / t), norm, 1e-9 * norm);
    EXPECT_GT(two.matrix.version, version);
  }
  for (size_t k = 0; k < 2; ++k)
    for (int64_t i = 0; i < two.all()[k]->elements(); ++i) {
      ASSERT_NEAR(get(two.all()[k]->value, i), plain.w[k][static_cast<size_t>(i)], tolerance) << k << " " << i;
      ASSERT_EQ(get(two.all()[k]->grad, i), 0);
    }
}

TEST(AdamW, IsThePaperInDouble) { agrees(DType::f64, 1e-3, 1e-12); }
TEST(AdamW, IsThePaperInFloat) { agrees(DType::f32, 1e-3, 2e-6); }
TEST(AdamW, IsThePaperWhereEpsilonCounts) { agrees(DType::f32, 1e-8, 2e-6); }
TEST(AdamW, ClipsByTheGlobalNorm) {
  agrees(DType::f64, 100, 1e-12);
  agrees(DType::f32, 100, 2e-6);
}

TEST(AdamW, AParameterMayHaveAScaleOfTheLearningRate) {
  Two plain(DType::f64), scaled(DType::f64);
  AdamW half(plain.all(), {.lr = 0.005f}), whole(scaled.all(), {.lr = 0.01f});
  scaled.matrix.lr_scale = 0.5;
  scaled.bias.lr_scale = 0;
  const double bias = get(scaled.bias.value, 1), before = get(scaled.matrix.value, 1);
  for (int64_t step = 0; step < 3; ++step) {
    set_gradients(plain, step, 1);
    set_gradients(scaled, step, 1);
    half.step();
    whole.step();
  }
  EXPECT_EQ(get(scaled.bias.value, 1), bias);
  EXPECT_NE(get(scaled.matrix.value, 1), before);
  EXPECT_NEAR(get(scaled.matrix.value, 1), get(plain.matrix.value, 1), 1e-9);
}

TEST(AdamW, TheSameBitsForAnyNumberOfThreads) {
  std::vector<float> results[2];
  for (int threads : {1, 2}) {
    Two two(DType::f32);
    AdamW optimizer(two.all(), {}, Device::cpu({.threads = threads}));
    for (int t = 1; t <= 3; ++t) {
      set_gradients(two, t, 3);
      optimizer.step();
    }
    results[threads - 1].assign(two.matrix.value.as<float>(), two.matrix.value.as<float>() + odd);
  }
  EXPECT_EQ(results[0], results[1]);
}

// Rows without a gradient stay; the means of the others are those of the dense algorithm, steps without them included.
TEST(AdamW, TrainsATableByTheRowsThatWereTouched) {
  constexpr int64_t rows = 40, width = 300;  // several tasks
  const auto make = [](bool by_rows) {
    auto p = std::make_unique<Parameter>("table", Shape{rows, width}, init_normal(0.5));
    p->by_rows = by_rows;
    p->allocate(DType::f64, true), p->initialise(1);
    return p;
  };
  const auto table = make(true), dense = make(false), shared = make(true);
  AdamW by_rows({table.get()}, {.lr = 0.01f}, Device::cpu({.threads = 1})),
      everything({dense.get()}, {.lr = 0.01f}, Device::cpu({.threads = 1})),
      on_threads({shared.get()}, {.lr = 0.01f}, Device::cpu({.threads = 3}));
  for (int64_t step = 0; step < 7; ++step) {
    std::vector<double> before(rows * width);
    for (int64_t i = 0; i < rows * width; ++i) before[static_cast<size_t>(i)] = get(table->value, i);
    std::vector<int32_t> touched;
    for (int32_t row = rows; row-- > 0;)
      if ((row * 7 + step * step) % 5 < 2) touched.push_back(row);
    for (Parameter* p : {table.get(), dense.get(), shared.get()}) {
      for (const int32_t row : touched)
        for (int64_t c = row * width; c < (row + 1) * width; ++c)
          set(p->grad, c, Random(7, "g").normal(static_cast<uint64_t>(step * rows * width + c)));
      if (p->by_rows) p->touched.add(touched);
    }
    EXPECT_DOUBLE_EQ(by_rows.step(), everything.step());
    on_threads.step();
    EXPECT_TRUE(table->touched.rows().empty());
    for (int64_t i = 0; i < rows * width; ++i) {
      const auto row = static_cast<int32_t>(i / width);
      EXPECT_EQ(get(table->grad, i), 0);
      EXPECT_EQ(get(table->value, i), get(shared->value, i));
      if (std::ranges::count(touched, row)) {
        EXPECT_NEAR(get(by_rows.mean(0), i), get(everything.mean(0), i), 1e-12);
        EXPECT_NEAR(get(by_rows.square(0), i), get(everything.square(0), i), 1e-12);
        EXPECT_NE(get(table->value, i), before[static_cast<size_t>(i)]);
        EXPECT_EQ(by_rows.touched_at(0).as<int32_t>()[row], step + 1);
      } else {
        EXPECT_EQ(get(table->value, i), before[static_cast<size_t>(i)]);
      }
    }
  }
  table->grad.as<double>()[5 * width] = 1;
  table->touched.add(std::vector<int32_t>{5});
  by_rows.zero_grad();
  EXPECT_EQ(get(table->grad, 5 * width), 0);
}

TEST(AdamW, RefusesAGradientThatIsNotFinite) {
  Two two(DType::f32);
  AdamW optimizer(two.all());
  set(two.bias.grad, 1, INFINITY);
  const double before = get(two.bias.value, 0);
  try {
    optimizer.step();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::numeric);
    EXPECT_NE(std::string(error.what()).find("bias"), std::string::npos);
  }
  EXPECT_EQ(get(two.bias.value, 0), before);
  EXPECT_EQ(optimizer.steps(), 0);
}

TEST(AdamW, RefusesImpossibleOptions) {
  Two two(DType::f32);
  EXPECT_THROW(AdamW(two.all(), {.lr = 0}), Error);
  EXPECT_THROW(AdamW(two.all(), {.lr = NAN}), Error);
  EXPECT_THROW(AdamW(two.all(), {.beta1 = 1}), Error);
  EXPECT_THROW(AdamW(two.all(), {.clip = -1}), Error);
  Parameter frozen("frozen", {2}, init_constant(0));
  frozen.allocate(DType::f32, false);
  EXPECT_THROW(AdamW({&frozen}), Error);
}

TEST(Schedule, CosineRisesAndFallsToItsFloor) {
  EXPECT_NEAR(cosine(0, 1000, 99), 0.01, 1e-12);
  EXPECT_LT(cosine(50, 1000, 100), cosine(51, 1000, 100));
  EXPECT_NEAR(cosine(100, 1000, 100), 1, 1e-12);
  EXPECT_NEAR(cosine(550, 1000, 100), 0.55, 1e-12);
  EXPECT_NEAR(cosine(1000, 1000, 100), 0.1, 1e-12);
  EXPECT_NEAR(cosine(5000, 1000, 100, 0.2), 0.2, 1e-12);
  EXPECT_NEAR(cosine(0, 10), 1, 1e-12);
  EXPECT_GT(cosine(9, 10, 20), 0);  // a run shorter than its warm-up
}

TEST(Schedule, WsdIsStableInTheMiddle) {
  EXPECT_NEAR(wsd(0, 1000, 99, 200), 0.01, 1e-12);
  EXPECT_EQ(wsd(100, 1000, 100, 200), 1);
  EXPECT_EQ(wsd(800, 1000, 100, 200), 1);
  EXPECT_NEAR(wsd(850, 1000, 100, 200), 0.5, 1e-12);
  EXPECT_GT(wsd(999, 1000, 100, 200), 0);
  EXPECT_NEAR(wsd(1000, 1000, 100, 200), 0, 1e-12);
  EXPECT_EQ(wsd(999, 1000, 100, 0), 1);
}

}  // namespace
}  // namespace statera
