// AdamW and learning-rate schedules.
#pragma once
#include <cstdint>
#include <vector>

#include "statera/device.hpp"
#include "statera/parameter.hpp"

namespace statera {

struct AdamWOptions {
  float lr = 1e-3f;
  float weight_decay = 0.1f;  // applies to parameters with Parameter::decay
  float beta1 = 0.9f, beta2 = 0.95f, eps = 1e-8f;
  float clip = 1.0f;  // largest norm of all gradients together; larger ones are scaled down; 0: no clipping
};

// Sets the gradient to zero. For a parameter that is trained by rows it writes only the touched rows and forgets them;
// the others are zero already.
void zero_grad(Parameter& parameter);

// Adam with decoupled weight decay (Loshchilov and Hutter, 2019, algorithm 2), after clipping by the global norm. The
// result has the same bits for any number of threads, and a step allocates nothing but room for the largest number of
// rows so far.
//
// Of a parameter that is trained by rows (Parameter::by_rows), a step costs what it touched: rows without a gradient
// stay as they are. When a row gets a gradient again, its means are first decayed by the steps in between, so they are
// those of the dense algorithm; only the moves that the dense one makes without a gradient are left out.
//
// Owns the running means. Borrows the parameters, which must have gradients and outlive it. Not thread safe, and nobody
// else may use the parameters during a step.
class AdamW {
 public:
  explicit AdamW(std::vector<Parameter*> parameters, AdamWOptions options = {},
                 Device device = Device::cpu({.threads = 1}));

  // Makes one step with the learning rate `factor` * lr * Parameter::lr_scale and zeroes the gradients. Returns the
  // norm of the gradients before clipping. If that is not finite, it changes nothing and throws ErrorCode::numeric,
  // naming the parameter.
  double step(double factor = 1);
  void zero_grad();

  const AdamWOptions& options() const { return options_; }
  const std::vector<Parameter*>& parameters() const { return parameters_; }
  // What a checkpoint stores: the number of steps, and per parameter the running means of the gradient and of its
  // square.
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  View mean(size_t parameter) const { return mean_[parameter]; }
  View square(size_t parameter) const { return square_[parameter]; }
  // [rows] the step at which each row was last touched, 0: never; empty for parameters that are not trained by rows
  View touched_at(size_t parameter) const { return touched_at_[parameter]; }

 private:
  struct Block {  // a piece of a parameter, for one task
    size_t parameter;
    int64_t begin, count;  // elements; of a parameter that is trained by rows: numbers within its touched rows
  };
  // Calls run(offset, count, row) for each run of neighbouring elements of a block.
  template <class F>
  void for_runs(const Block& block, const F& run) const;
  void find_blocks();
  double gradient_norm();

  std::vector<Parameter*> parameters_;
  AdamWOptions options_;
  Device device_;
  std::vector<Tensor> mean_, square_, touched_at_;
  std::vector<Block> blocks_;  // pieces of the parameters, one task each; those of rows stand last, and change
  size_t dense_blocks_ = 0;
  std::vector<double> sums_;  // per block: the sum of the squared gradients
  int64_t steps_ = 0;
};

// Learning-rate factors for `step` (from 0) of `total`. Both schedules rise linearly over the first `warmup` steps.
// cosine() then follows half a cosine down to `floor`.
double cosine(int64_t step, int64_t total, int64_t warmup = 0, double floor = 0.1);
// wsd() (warmup, stable, decay) then stays at 1 and falls as 1 - sqrt to 0 over the last `decay` steps.
double wsd(int64_t step, int64_t total, int64_t warmup, int64_t decay);

}  // namespace statera
