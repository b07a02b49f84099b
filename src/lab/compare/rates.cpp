#include "lab/compare/rates.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "text/number.hpp"

namespace statera {

namespace {
constexpr double usual_noise = 0.01;  // bits per byte between two trials of one rate that differ only by chance
// The noise of a trial grows by this share of what the trial still has to fall until it is well below the plateau.
constexpr double near_plateau = 0.25;
constexpr double well_below = 0.3;  // bits per byte
// in bits per byte and squared octave; all are equally likely before a trial
constexpr std::array<double, 9> curvatures = {0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64};
constexpr double usual_curvature = 0.02;       // of whole trainings: 0.001 to 0.043 in bench/rates/*.sqlite
constexpr double reach = 5, grain = 1.0 / 16;  // of the grid, in octaves

// Rounds to two digits: 0.0035, not 0.003497.
double two_digits(double lr) { return rounded(lr, 2); }

// One trial as it enters the likelihood.
struct Point {
  double octaves;  // its rate above the prior's, in octaves
  double bits, noise;
};

double noise_of(double bits, double plateau) {
  return usual_noise + near_plateau * std::max(0.0, bits - (plateau - well_below));
}

// The log-likelihood of the points if the best rate is at y and the curvature is k; c is the weighted mean of the
// residuals.
double fit(std::span<const Point> points, double y, double k) {
  double weights = 0, mean = 0;
  for (const Point& p : points) {
    const double w = 1 / (p.noise * p.noise), left = p.bits - k * (p.octaves - y) * (p.octaves - y);
    weights += w;
    mean += w * left;
  }
  mean /= weights;
  double sum = 0;
  for (const Point& p : points) {
    const double left = (p.bits - k * (p.octaves - y) * (p.octaves - y) - mean) / p.noise;
    sum -= 0.5 * left * left;
  }
  return sum;
}

struct Belief {
  double mean = 0, variance = 0;  // of x, in octaves
};

// `below`: the best rate of a trial is below it.
Belief believe(std::span<const Point> points, const RatePrior& prior, double below) {
  struct Cell {
    double y, k, log;
  };
  const double of_whole = prior.octaves * prior.octaves, of_drift = prior.drift * prior.drift;
  // x given y is normal with mean share * y and this variance.
  const double share = of_whole / (of_whole + of_drift), left = share * of_drift;
  std::vector<Cell> cells;
  double most = -std::numeric_limits<double>::infinity();
  for (double y = -reach; y <= reach; y += grain) {
    if (y >= below) continue;
    for (const double k : curvatures) {
      const double log = -0.5 * y * y / (of_whole + of_drift) + (points.empty() ? 0 : fit(points, y, k));
      cells.push_back({y, k, log});
      most = std::max(most, log);
    }
  }
  double weights = 0;
  Belief b;
  for (const Cell& c : cells) {
    const double w = std::exp(c.log - most);
    weights += w;
    b.mean += w * share * c.y;
  }
  b.mean /= weights;
  for (const Cell& c : cells)
    b.variance += std::exp(c.log - most) / weights * (left + (share * c.y - b.mean) * (share * c.y - b.mean));
  return b;
}

// The distance that |offset + deviation * z| stays below in 95 % of cases, z normal.
double distance_95_percent(double offset, double deviation) {
  const auto below = [](double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); };
  double low = 0, high = std::abs(offset) + 2 * deviation;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    const bool enough = below((middle - offset) / deviation) - below((-middle - offset) / deviation) >= 0.95;
    (enough ? high : low) = middle;
  }
  return high;
}

// The losses of the rate `lr`: quadratic in its distance to the best rate, which is about normal around lr + offset.
RateChoice choice_of(double lr, double variance, double offset) {
  const double distance = variance > 0 ? distance_95_percent(offset, std::sqrt(variance)) : std::abs(offset);
  return {.lr = lr,
          .expected_loss = usual_curvature * (variance + offset * offset),
          .loss_95_percent = usual_curvature * distance * distance};
}
}  // namespace

double next_rate(std::span<const TriedRate> tried, const RatePrior& prior) {
  constexpr double step = 2;
  const auto untried = [&](double lr) {
    return std::ranges::none_of(tried, [&](const TriedRate& t) { return t.lr == lr; });
  };
  for (const double lr : {prior.lr, prior.lr * step, prior.lr / step})
    if (untried(two_digits(lr))) return two_digits(lr);
  const auto best = std::ranges::min_element(tried, {}, &TriedRate::bits_per_byte);
  if (best + 1 == tried.end() && std::isfinite(best->bits_per_byte)) return two_digits(best->lr * step);
  if (best == tried.begin()) return two_digits(best->lr / step);
  const TriedRate& neighbour = (best - 1)->bits_per_byte < (best + 1)->bits_per_byte ? *(best - 1) : *(best + 1);
  return two_digits(std::sqrt(best->lr * neighbour.lr));
}

RateChoice choose_rate(std::span<const TriedRate> tried, const RatePrior& prior, double plateau) {
  std::vector<Point> points;
  double below = std::numeric_limits<double>::infinity();
  for (const TriedRate& t : tried) {
    const double octaves = std::log2(t.lr / prior.lr);
    if (!std::isfinite(t.bits_per_byte))
      below = std::min(below, octaves);
    else if (t.bits_per_byte < plateau)
      points.push_back({octaves, t.bits_per_byte, noise_of(t.bits_per_byte, plateau)});
  }
  const bool all_diverged =
      !tried.empty() && std::ranges::none_of(tried, [](const TriedRate& t) { return std::isfinite(t.bits_per_byte); });
  if (all_diverged || below <= grain - reach) return {.lr = std::numeric_limits<double>::quiet_NaN()};
  const Belief b = believe(points, prior, below);
  RateChoice choice = choice_of(two_digits(prior.lr * std::exp2(b.mean)), b.variance, 0);
  for (const Point& p : points)
    for (const Point& q : points)
      if (p.bits - q.bits > 2 * std::hypot(p.noise, q.noise)) choice.told_apart = true;
  return choice;
}

RateChoice with_rate(const RateChoice& choice, double lr) {
  const double octaves = std::log2(lr / choice.lr);
  if (!std::isfinite(octaves)) return choice;
  RateChoice other = choice_of(lr, choice.expected_loss / usual_curvature, octaves);
  other.told_apart = choice.told_apart;
  return other;
}

}  // namespace statera
