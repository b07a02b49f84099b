#include "lab/compare/judge.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lab/measure/paired.hpp"

namespace statera {

double bits(const std::vector<float>& nats) {
  double sum = 0;
  for (float n : nats) sum += static_cast<double>(n);
  return sum / static_cast<double>(nats.size()) / std::numbers::ln2;
}

double mean_bits(const Judged& judged) {
  double sum = 0;
  for (const auto& nats : judged.nats) sum += bits(nats);
  return sum / static_cast<double>(judged.nats.size());
}

double Lead::error() const { return std::hypot(text_error, seed_error); }

namespace {
std::vector<float> over_seeds(const Judged& judged, size_t seeds) {
  std::vector<float> mean(judged.nats.front().size());
  for (size_t s = 0; s < seeds; ++s)
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += judged.nats[s][i] / static_cast<float>(seeds);
  return mean;
}

// The variance between seeds of what was measured with each of them: the bits of a candidate, or the difference of two
// with the same seed. The usual variance counts as much as usual_seed_weight measured values.
double pooled_variance(const std::vector<double>& measured, double usual_variance) {
  const auto n = static_cast<double>(measured.size()), weight = static_cast<double>(usual_seed_weight);
  double mean = 0, squares = 0;
  for (double d : measured) mean += d / n;
  for (double d : measured) squares += (d - mean) * (d - mean);
  return (weight * usual_variance + squares) / (weight + n - 1);
}
}  // namespace

Lead lead(const Judged& one, const Judged& best) {
  const size_t seeds = std::min(one.nats.size(), best.nats.size());
  const PairedDifference d = paired_difference(over_seeds(one, seeds), over_seeds(best, seeds), block_bytes);
  std::vector<double> differences;
  for (size_t s = 0; s < seeds; ++s) differences.push_back(bits(one.nats[s]) - bits(best.nats[s]));
  const double usual = one.seed_deviation * one.seed_deviation + best.seed_deviation * best.seed_deviation;
  Lead lead{.behind = d.mean,
            .text_error = d.standard_error,
            .seed_error = std::sqrt(pooled_variance(differences, usual) / static_cast<double>(seeds)),
            .doubt = 0};
  const double luck = errors_for_95_percent(usual_seed_weight + static_cast<int64_t>(seeds)) * lead.seed_error;
  lead.doubt = std::hypot(2 * lead.text_error, luck, std::hypot(one.rate_loss_95_percent, best.rate_loss_95_percent));
  return lead;
}

double own_doubt(const Judged& judged, size_t seeds) {
  std::vector<double> each;
  for (const auto& nats : judged.nats)
    if (seeds == 0 || each.size() < seeds) each.push_back(bits(nats));
  const auto n = static_cast<int64_t>(each.size());
  const double usual = judged.seed_deviation * judged.seed_deviation,
               error = std::sqrt(pooled_variance(each, usual) / static_cast<double>(n));
  return std::hypot(errors_for_95_percent(usual_seed_weight + n) * error, judged.rate_loss_95_percent);
}

}  // namespace statera
