#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/check.hpp"
#include "core/thread_pool.hpp"
#include "ops/kernels.hpp"
#include "statera/optimizer.hpp"

namespace statera {

namespace {
constexpr int64_t block_elements = 8192;

// In double, eight sums side by side in a fixed order.
template <class T>
double sum_of_squares(const T* g, int64_t count) {
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int j = 0; j < 8; ++j) sums[j] += static_cast<double>(g[i + j]) * static_cast<double>(g[i + j]);
  for (; i < count; ++i) sums[i % 8] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}
}  // namespace

struct AdamW::Factors {
  double clip, beta1, beta2, rate, root, eps, keep;  // rate: lr over the mean's bias correction; root: 1 / sqrt(that of the square)
};

namespace {
template <class T, class F>
void update(T* __restrict w, T* __restrict g, T* __restrict m, T* __restrict v, int64_t count, const F& f, bool decay) {
  const auto clip = static_cast<T>(f.clip), b1 = static_cast<T>(f.beta1), b2 = static_cast<T>(f.beta2), c1 = static_cast<T>(1 - f.beta1),
             c2 = static_cast<T>(1 - f.beta2), rate = static_cast<T>(f.rate), root = static_cast<T>(f.root), eps = static_cast<T>(f.eps),
             keep = decay ? static_cast<T>(f.keep) : T{1};
  const auto one = [&](int64_t i) {
    const T grad = clip * g[i];
    m[i] = b1 * m[i] + c1 * grad;
    v[i] = b2 * v[i] + c2 * grad * grad;
    w[i] = keep * w[i] - rate * m[i] / (std::sqrt(v[i]) * root + eps);
    g[i] = 0;
  };
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)  // a count that the compiler knows, so that it makes vectors of it
    for (int64_t j = 0; j < 16; ++j) one(i + j);
  for (; i < count; ++i) one(i);
}
}  // namespace

AdamW::AdamW(std::vector<Parameter*> parameters, AdamWOptions options, Device device)
    : parameters_(std::move(parameters)), options_(options), device_(std::move(device)) {
  const AdamWOptions& o = options_;
  require(std::isfinite(o.lr) && o.lr > 0, ErrorCode::config, "[adamw] lr ", o.lr, " is not above 0");
  require(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1, ErrorCode::config, "[adamw] beta1 ", o.beta1, " and beta2 ", o.beta2,
          " must be at least 0 and below 1");
  require(o.eps > 0 && o.weight_decay >= 0 && o.clip >= 0, ErrorCode::config, "[adamw] eps ", o.eps, ", weight_decay ", o.weight_decay,
          " or clip ", o.clip, " is negative");
  for (size_t p = 0; p < parameters_.size(); ++p) {
    const Parameter& parameter = *parameters_[p];
    require(!parameter.grad.empty(), ErrorCode::config, "[adamw] ", parameter.name, " has no gradient; make the model for training");
    mean_.emplace_back(parameter.value.dtype(), parameter.shape);
    square_.emplace_back(parameter.value.dtype(), parameter.shape);
    for (int64_t begin = 0; begin < parameter.elements(); begin += block_elements)
      blocks_.push_back({p, begin, std::min(block_elements, parameter.elements() - begin)});
  }
  sums_.resize(blocks_.size());
}

double AdamW::gradient_norm() {
  device_.pool().run(static_cast<int64_t>(blocks_.size()), [&](int64_t task, int) {
    const Block& block = blocks_[static_cast<size_t>(task)];
    dispatch(parameters_[block.parameter]->grad.dtype(), [&](auto zero) {
      using T = decltype(zero);
      sums_[static_cast<size_t>(task)] = sum_of_squares(parameters_[block.parameter]->grad.template as<T>() + block.begin, block.count);
    });
  });
  double total = 0;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    require(std::isfinite(sums_[b]), ErrorCode::numeric, "[adamw] the gradient of ", parameters_[blocks_[b].parameter]->name, " is not finite");
    total += sums_[b];
  }
  return std::sqrt(total);
}

double AdamW::step(double factor) {
  const FlushDenormals flush;
  const double norm = gradient_norm();
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double lr = factor * static_cast<double>(options_.lr), beta1 = static_cast<double>(options_.beta1),
               beta2 = static_cast<double>(options_.beta2), clip = static_cast<double>(options_.clip);
  const Factors factors{.clip = clip > 0 && norm > clip ? clip / norm : 1,
                        .beta1 = beta1,
                        .beta2 = beta2,
                        .rate = lr / (1 - std::pow(beta1, t)),
                        .root = 1 / std::sqrt(1 - std::pow(beta2, t)),
                        .eps = static_cast<double>(options_.eps),
                        .keep = 1 - lr * static_cast<double>(options_.weight_decay)};
  device_.pool().run(static_cast<int64_t>(blocks_.size()), [&](int64_t task, int) {
    const Block& block = blocks_[static_cast<size_t>(task)];
    Parameter& p = *parameters_[block.parameter];
    dispatch(p.value.dtype(), [&](auto zero) {
      using T = decltype(zero);
      update(p.value.as<T>() + block.begin, p.grad.as<T>() + block.begin, mean_[block.parameter].as<T>() + block.begin,
             square_[block.parameter].as<T>() + block.begin, block.count, factors, p.decay);
    });
  });
  for (Parameter* p : parameters_) p->changed();
  return norm;
}

void AdamW::zero_grad() {
  for (const Parameter* p : parameters_) fill_zero(p->grad);
}

namespace {
double warm_up(int64_t step, int64_t warmup) {
  return step < warmup ? static_cast<double>(step + 1) / static_cast<double>(warmup + 1) : 1;
}
}  // namespace

double cosine(int64_t step, int64_t total, int64_t warmup, double floor) {
  if (step < warmup || total <= warmup) return warm_up(step, warmup);
  const double done = std::min(1.0, static_cast<double>(step - warmup) / static_cast<double>(total - warmup));
  return floor + (1 - floor) * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

double wsd(int64_t step, int64_t total, int64_t warmup, int64_t decay) {
  const double fallen = decay > 0 ? static_cast<double>(step - (total - decay)) / static_cast<double>(decay) : 0;
  const double fall = 1 - std::sqrt(std::clamp(fallen, 0.0, 1.0));
  return std::min(warm_up(step, warmup), fall);
}

}  // namespace statera
