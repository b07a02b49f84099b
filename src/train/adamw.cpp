#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/check.hpp"
#include "core/exec.hpp"
#include "core/machine.hpp"
#include "core/plain_math.hpp"
#include "statera/optimizer.hpp"
#include "train/adamw.hpp"

namespace statera {

namespace {
constexpr int64_t block_elements = 8192;
}  // namespace

AdamW::AdamW(std::vector<Parameter*> parameters, AdamWOptions options, Device device)
    : parameters_(std::move(parameters)), options_(options), device_(std::move(device)) {
  const AdamWOptions& o = options_;
  require(std::isfinite(o.lr) && o.lr > 0, ErrorCode::config, "[adamw] lr ", o.lr, " is not above 0");
  require(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1, ErrorCode::config, "[adamw] beta1 ", o.beta1,
          " and beta2 ", o.beta2, " must be at least 0 and below 1");
  require(o.eps > 0 && std::isfinite(o.eps), ErrorCode::config, "[adamw] eps is ", o.eps,
          "; expected a finite number above 0");
  for (const auto& [name, value] : {std::pair("weight_decay", o.weight_decay), {"clip", o.clip}})
    require(value >= 0 && std::isfinite(value), ErrorCode::config, "[adamw] ", name, " is ", value,
            "; expected a finite number, 0 or more");
  double bytes = 0;
  for (const Parameter* p : parameters_) bytes += 2 * static_cast<double>(p->value.view().bytes());
  require_memory(bytes, "AdamW, for two means of each gradient,", "take a smaller model");
  for (size_t p = 0; p < parameters_.size(); ++p) {
    const Parameter& parameter = *parameters_[p];
    require(!parameter.grad.empty(), ErrorCode::config, "[adamw] ", parameter.name,
            " has no gradient; make the model for training");
    mean_.emplace_back(parameter.value.dtype(), parameter.shape);
    square_.emplace_back(parameter.value.dtype(), parameter.shape);
    touched_at_.push_back(parameter.by_rows ? Tensor(DType::i32, {parameter.shape[0]}) : Tensor());
    for (int64_t begin = 0; begin < parameter.elements() && !parameter.by_rows; begin += block_elements)
      blocks_.push_back({p, begin, std::min(block_elements, parameter.elements() - begin)});
  }
  dense_blocks_ = blocks_.size();
}

void AdamW::find_blocks() {
  blocks_.resize(dense_blocks_);
  for (size_t p = 0; p < parameters_.size(); ++p) {
    Parameter& parameter = *parameters_[p];
    if (!parameter.by_rows) continue;
    parameter.touched.sort();
    const auto rows = static_cast<int64_t>(parameter.touched.rows().size()),
               most = std::max<int64_t>(1, block_elements / parameter.shape.row_elements());
    for (int64_t begin = 0; begin < rows; begin += most) blocks_.push_back({p, begin, std::min(most, rows - begin)});
  }
  sums_.resize(blocks_.size());
}

template <class F>
void AdamW::for_runs(const Block& block, const F& run) const {
  const Parameter& p = *parameters_[block.parameter];
  if (!p.by_rows) return run(block.begin, block.count, int32_t{0});
  const int64_t width = p.shape.row_elements();
  for (const int32_t row : p.touched.rows().subspan(static_cast<size_t>(block.begin), static_cast<size_t>(block.count)))
    run(row * width, width, row);
}

double AdamW::gradient_norm() {
  find_blocks();
  pool_of(device_).run(static_cast<int64_t>(blocks_.size()), [&](int64_t task, int) {
    const Block& block = blocks_[static_cast<size_t>(task)];
    const DType dtype = parameters_[block.parameter]->grad.dtype();
    adamw_kernels(device_.kernels(), dtype, [&](auto zero, const auto& kernels) {
      using T = decltype(zero);
      const T* grad = parameters_[block.parameter]->grad.as<T>();
      double& sum = sums_[static_cast<size_t>(task)] = 0;
      for_runs(block,
               [&](int64_t begin, int64_t count, int32_t) { sum += kernels.sum_of_squares(grad + begin, count); });
    });
  });
  double total = 0;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    require(std::isfinite(sums_[b]), ErrorCode::numeric, "[adamw] the gradient of ",
            parameters_[blocks_[b].parameter]->name, " is not finite");
    total += sums_[b];
  }
  return std::sqrt(total);
}

double AdamW::step(double factor) {
  const FlushDenormals flush(pool_of(device_));
  const double norm = gradient_norm();
  ++steps_;
  const auto t = static_cast<uint64_t>(steps_);
  const AdamWOptions& o = options_;
  const double all = factor * static_cast<double>(o.lr), unbiased = 1 - plain::power(static_cast<double>(o.beta1), t),
               root = 1 / std::sqrt(1 - plain::power(static_cast<double>(o.beta2), t)),
               clip = o.clip > 0 && norm > static_cast<double>(o.clip) ? static_cast<double>(o.clip) / norm : 1;
  pool_of(device_).run(static_cast<int64_t>(blocks_.size()), [&](int64_t task, int) {
    const Block& block = blocks_[static_cast<size_t>(task)];
    const Parameter& p = *parameters_[block.parameter];
    const double lr = all * p.lr_scale, rate = lr / unbiased, keep = 1 - lr * static_cast<double>(o.weight_decay);
    adamw_kernels(device_.kernels(), p.value.dtype(), [&](auto zero, const auto& kernels) {
      using T = decltype(zero);
      auto* touched_at = p.by_rows ? touched_at_[block.parameter].as<int32_t>() : nullptr;
      for_runs(block, [&](int64_t begin, int64_t count, int32_t row) {
        const auto passed = static_cast<uint64_t>(touched_at ? kernels.touch(touched_at + row, steps_) : 1);
        kernels.update({.weight = p.value.as<T>() + begin,
                        .grad = p.grad.as<T>() + begin,
                        .mean = mean_[block.parameter].as<T>() + begin,
                        .square = square_[block.parameter].as<T>() + begin,
                        .count = count,
                        .clip = static_cast<T>(clip),
                        .beta1 = static_cast<T>(o.beta1),
                        .beta2 = static_cast<T>(o.beta2),
                        .keep_mean = static_cast<T>(plain::power(static_cast<double>(o.beta1), passed)),
                        .keep_square = static_cast<T>(plain::power(static_cast<double>(o.beta2), passed)),
                        .rate = static_cast<T>(rate),
                        .root = static_cast<T>(root),
                        .eps = static_cast<T>(o.eps),
                        .keep = p.decay ? static_cast<T>(keep) : T{1}});
      });
    });
  });
  for (Parameter* p : parameters_) p->touched.clear(), p->changed();
  return norm;
}

void zero_grad(Parameter& p) {
  if (!p.by_rows) fill_zero(p.grad);
  for (const int32_t row : p.touched.rows()) fill_zero(p.grad.view().row_range(row, 1));
  p.touched.clear();
}

void AdamW::zero_grad() {
  for (Parameter* p : parameters_) statera::zero_grad(*p);
}

namespace {
double warm_up(int64_t step, int64_t warmup) {
  return step < warmup ? static_cast<double>(step + 1) / static_cast<double>(warmup + 1) : 1;
}
}  // namespace

double cosine(int64_t step, int64_t total, int64_t warmup, double floor) {
  if (step < warmup || total <= warmup) return warm_up(step, warmup);
  const double done = std::min(1.0, static_cast<double>(step - warmup) / static_cast<double>(total - warmup));
  return floor + (1 - floor) * 0.5 * (1 + plain::cos(std::numbers::pi * done));
}

double wsd(int64_t step, int64_t total, int64_t warmup, int64_t decay) {
  const double fallen = decay > 0 ? static_cast<double>(step - (total - decay)) / static_cast<double>(decay) : 0;
  const double fall = 1 - std::sqrt(std::clamp(fallen, 0.0, 1.0));
  return std::min(warm_up(step, warmup), fall);
}

}  // namespace statera
