// AdamW and the schedules of its learning rate.
#pragma once
#include <cstdint>
#include <vector>

#include "statera/device.hpp"
#include "statera/parameter.hpp"

namespace statera {

struct AdamWOptions {
  float lr = 1e-3f;
  float weight_decay = 0.1f;  // only where Parameter::decay
  float beta1 = 0.9f, beta2 = 0.95f, eps = 1e-8f;
  float clip = 1.0f;  // largest norm of all gradients together; 0: no limit
};

// Adam with decoupled weight decay (Loshchilov and Hutter, 2019, algorithm 2) behind clipping by the global norm. The
// same bits for any number of threads; a step allocates nothing. Borrows the parameters, which must have gradients and
// outlive it. Not thread safe.
class AdamW {
 public:
  explicit AdamW(std::vector<Parameter*> parameters, AdamWOptions options = {},
                 Device device = Device::cpu({.threads = 1}));

  // One step with the learning rate `factor` * lr * Parameter::lr_scale; zeroes the gradients. Returns their norm
  // before clipping. Throws numeric, changing nothing, if it is not finite; the message names the parameter.
  double step(double factor = 1);
  void zero_grad();

  const AdamWOptions& options() const { return options_; }
  const std::vector<Parameter*>& parameters() const { return parameters_; }
  // What a checkpoint keeps: steps taken, running means of the gradient and of its square, one a parameter.
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  View mean(size_t parameter) const { return mean_[parameter]; }
  View square(size_t parameter) const { return square_[parameter]; }

 private:
  struct Block {
    size_t parameter;
    int64_t begin, count;
  };

  double gradient_norm();

  std::vector<Parameter*> parameters_;
  AdamWOptions options_;
  Device device_;
  std::vector<Tensor> mean_, square_;
  std::vector<Block> blocks_;  // fixed pieces of the parameters: a task each
  std::vector<double> sums_;   // of the squares of each block's gradient
  int64_t steps_ = 0;
};

// Factors of the learning rate at `step` of `total`, counted from 0. Both rise linearly over the first `warmup` steps.
// then half a cosine down to `floor`
double cosine(int64_t step, int64_t total, int64_t warmup = 0, double floor = 0.1);
// then 1, and over the last `decay` steps 1 - sqrt towards 0
double wsd(int64_t step, int64_t total, int64_t warmup, int64_t decay);

}  // namespace statera
