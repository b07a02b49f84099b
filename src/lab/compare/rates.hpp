// Which learning rates to try, and which one to train with.
//
// Short trials mislead: at their end a model may still be on a plateau where all rates look alike, and a short schedule
// has another best rate than a long one. So the choice starts from sweeps over whole trainings (rate_priors.hpp), and a
// trial moves it by as much as it tells.
//
// The model: with the best rate of a trial at y (in octaves), a trial at rate r ends at c + k (log2 r - y)^2 bits per
// byte, plus noise. c is free, and k is one of several curvatures, among them 0 (a plateau). The best rate of the whole
// training, x, is normal around the prior, and y is normal around x (`drift`), so that even trials that tell rates
// apart move the choice only by a share. Summing over a grid of y and k gives the posterior of y, and with it that of
// x. The chosen rate is the mean of x. Compared to the best rate, a training with it is expected to lose the variance
// of x times the usual curvature of whole trainings, which bend less than trials.
#pragma once
#include <span>

namespace statera {

struct TriedRate {
  double lr, bits_per_byte;  // infinite if the training diverged
};

struct RatePrior {
  double lr = 2e-3;    // the best rate of a whole training
  double octaves = 1;  // standard deviation of the best rate, in factors of two
  double drift = 0.5;  // standard deviation of log2(best rate of a trial / best rate of the whole training)
};

struct RateChoice {
  double lr = 0;  // rounded to two digits; NaN if every rate that was tried diverged
  // What a training with it loses compared to one with the best rate, in bits per byte: the mean, and the loss that 95
  // % of cases stay below.
  double expected_loss = 0, loss_95_percent = 0;
  // Whether the trials said more than the prior. False if they lie within their noise, or on a plateau.
  bool told_apart = false;
};

// Which rate to try next: first the prior's, then twice and half of it, then further beyond the better end by factors
// of two. If the best rate has neighbours on both sides, it lies between the best and the better neighbour. `tried`
// must be in ascending order of lr. If the result was tried before, nothing is left in between.
double next_rate(std::span<const TriedRate> tried, const RatePrior& prior);

// `plateau`: the bits per byte of a model that has learned no more than pairs of bytes. A trial that ends above it says
// nothing about rates, one that ends just below says little. Without trials the choice is the prior's.
RateChoice choose_rate(std::span<const TriedRate> tried, const RatePrior& prior, double plateau);

// For a training with the rate `lr` instead, such as one that an earlier version chose.
RateChoice with_rate(const RateChoice& choice, double lr);

}  // namespace statera
