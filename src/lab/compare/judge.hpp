// How far one candidate is behind another, and how much of that is doubt: the text, the luck of a seed, the search for
// learning rates.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace statera {

// Bits per byte by which trainings that differ in nothing but their seed scatter (standard deviation), and for how many
// measured differences that knowledge counts: its degrees of freedom. From ten trainings in four groups; docs/log.md,
// 2026-11-29, has the command.
constexpr double usual_seed_deviation = 0.009;
constexpr int64_t usual_seed_weight = 6;

constexpr int64_t block_bytes = 1024;  // of held-out text, for standard errors

struct Judged {
  std::string name;
  std::vector<std::vector<float>> nats;  // [seeds][held-out bytes]; the seeds from 1 on, as far as they are judged
  double rate_doubt = 0;                 // bits per byte, of the search for its learning rate
};

double bits(const std::vector<float>& nats);
double mean_bits(const Judged& judged);  // over its seeds; at least one

struct Lead {
  double behind = 0;      // mean difference in bits per byte, on the same bytes, over the seeds that both have
  double text_error = 0;  // standard error over blocks of the text
  // standard error over seeds: what is usual and what was measured, weighed by how much each is known
  double seed_error = 0;
  double error() const;  // both
  double doubt = 0;      // half of the span that holds 95 % of what `behind` may be, learning rates included
};
Lead lead(const Judged& one, const Judged& best);

}  // namespace statera
