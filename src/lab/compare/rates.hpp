// Which learning rates to try, and which one to train with.
//
// Short trials mislead: at their end a model may still sit on a plateau where all rates look alike, and a short
// schedule bears a higher rate than a long one. So the choice begins from what sweeps over whole trainings have shown
// (rate_priors.hpp), and a trial moves it by as much as it tells.
//
// The belief: around the best rate x (in octaves) a trial at rate r ends at  c + k (log2 r - x)^2  bits per byte, give
// or take a noise. c is whatever fits, k one of several curvatures, 0 (a plateau) among them, and x is normal around
// the prior. Summing over a grid of x and k gives what is left to believe; the rate taken is the mean of x, and the
// doubt is what a training with it is expected to lose to one with the best.
#pragma once
#include <span>

namespace statera {

struct TriedRate {
  double lr, bits_per_byte;  // infinite bits: it diverged
};

struct RatePrior {
  double lr = 2e-3;         // best in a whole training
  double search_lr = 2e-3;  // best in a training as short as a trial
  double octaves = 1;       // standard deviation of the best rate, in factors of two
};

struct RateChoice {
  double lr = 0;     // two digits; NaN if every rate that was tried diverged
  double doubt = 0;  // bits per byte that a training with it is expected to lose to one with the best rate
  // whether the trials said more than the prior: false where they lie within their noise, or on a plateau
  bool told_apart = false;
};

// Which rate to try next: the prior's, twice and half as much, then beyond the better end by factors of two, or, where
// the best has neighbours on both sides, between it and the better one. `tried` in ascending order of lr. A rate that
// was tried already: there is nothing left in between.
double next_rate(std::span<const TriedRate> tried, const RatePrior& prior);

// `plateau`: bits per byte that a model reaches without having learned more than pairs of bytes; a trial that ends
// above says nothing about rates, and one that ends close below says little. Without trials the choice is the prior's.
RateChoice choose_rate(std::span<const TriedRate> tried, const RatePrior& prior, double plateau);

}  // namespace statera
