// Which candidate to take, and why, in sentences that a careful person would sign.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace statera {

// What the recommendation looks at, for a candidate that was trained and judged.
struct Contender {
  std::string name;
  double bits_per_byte = 0;
  double behind = 0, error = 0;  // to the best one, with its standard error (blocks and, if there are several, seeds); 0 for the best
  double doubt = 0;              // half of the span that holds 95 % of what `behind` may be: wider than two errors where the seeds are few
  double step_seconds = 0;       // at `context`; 0: not measured
  double state_bytes = 0;
};

struct Circumstances {
  std::string data, terms;     // "tinyshakespeare.txt", "equal time (5m)"
  int64_t context = 16384;     // where step and state are compared
  int64_t seeds = 1;
  bool complete = true;        // all candidates are judged
  std::string best_baseline;   // empty: none
  double baseline_bits = 0;
};

struct Recommendation {
  std::optional<std::string> winner;
  std::string decided_by;      // quality: ahead of all by more than the doubt; cost; baseline; nothing
  std::vector<std::string> sentences;
};

Recommendation recommend(const std::vector<Contender>& contenders, const Circumstances& circumstances);

}  // namespace statera
