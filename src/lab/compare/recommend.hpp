// Which candidate to take, and why, in sentences that a careful person would sign.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace statera {

// What the recommendation looks at, for a candidate that was trained and judged.
struct Contender {
  std::string name;
  double bits_per_byte = 0;      // frozen: it learns nothing from what it reads
  double learning_bits = 0;      // going on learning from what it has read; 0: not measured
  double behind = 0, error = 0;  // to the best one, with its standard error (text and seeds); 0 for the best
  double doubt = 0;  // half of the span that holds 95 % of what `behind` may be, the search for learning rates included
  double rate_doubt = 0;         // bits per byte that another learning rate may be expected to bring
  bool rates_told_apart = true;  // whether the search for learning rates said more than what is usual
  bool unfinished = false;  // its training ended on a plateau or in a steep fall: more time would change its figure
  int64_t context = 0;      // bytes of context that it was judged with
  double step_seconds = 0;  // there; 0: not measured
  double state_bytes = 0;   // there
};

// What costs nothing to train: the best of those that learned beforehand alone, and of those that learn while they
// read.
struct BestBaseline {
  std::string name;  // empty: none
  double bits_per_byte = 0;
};

struct Circumstances {
  std::string data, terms;  // "tinyshakespeare.txt", "equal time (5m)"
  int64_t seeds = 1;        // trainings of the first two
  bool searched = true;     // whether learning rates were searched for at all
  bool complete = true;     // all candidates are judged
  BestBaseline frozen, learning;
};

struct Recommendation {
  std::optional<std::string> winner;
  std::string decided_by;  // quality: ahead of all by more than the doubt; cost; baseline; nothing
  std::vector<std::string> sentences;
};

// A frozen model is weighed against frozen counts, one that learns while it reads against what learns while it reads.
// The winner comes from the first; what the second says stands beside it. A candidate whose training is unfinished is
// neither beaten nor counted as a rival.
Recommendation recommend(const std::vector<Contender>& contenders, const Circumstances& circumstances);

}  // namespace statera
