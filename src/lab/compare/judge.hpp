// How far one candidate is behind another, and how uncertain that is because of the text, the seeds and the search for
// learning rates.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace statera {

// Degrees of freedom that prior knowledge of the deviation between seeds counts for.
constexpr int64_t usual_seed_weight = 6;

constexpr int64_t block_bytes = 1024;  // block size of held-out text for standard errors

struct Judged {
  std::string name;
  std::vector<std::vector<float>> nats;  // [seeds][held-out bytes], for the seeds that have been judged, from 1 on
  double seed_deviation = 0;  // usual standard deviation between its seeds, in bits per byte (`usual_seed_deviation`)
  double rate_loss_95_percent = 0;  // bits per byte that its learning rate costs at most, in 95 % of cases
};

double bits(const std::vector<float>& nats);
double mean_bits(const Judged& judged);  // mean over its seeds, at least one

struct Lead {
  double behind = 0;      // mean difference in bits per byte, on the same bytes, over the seeds that both have
  double text_error = 0;  // standard error over blocks of the text
  // Standard error over seeds: the usual deviation and the measured one, weighted by their degrees of freedom.
  double seed_error = 0;
  double error() const;  // both errors combined
  double doubt = 0;      // half the width of the 95 % interval of `behind`, learning rates included
};
Lead lead(const Judged& one, const Judged& best);

// Half the width of the 95 % interval of mean_bits() over its first `seeds` seeds (0: all), as far as it comes from the
// seeds and the search for a learning rate: for comparisons with what has neither. That of the text is not in it.
double own_doubt(const Judged& judged, size_t seeds = 0);

}  // namespace statera
