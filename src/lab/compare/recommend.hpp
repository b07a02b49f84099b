// Which candidate to take, and why, in sentences that a careful person would sign.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace statera {

// What the recommendation knows about a candidate that was trained and judged.
struct Contender {
  std::string name;
  double bits_per_byte = 0;  // frozen: it learns nothing from the text that it reads
  double learning_bits = 0;  // when it goes on learning from the text that it reads; 0: not measured
  double mixed_bits = 0;     // the same, mixed with counts of contexts; 0: not measured
  // of bits_per_byte and of learning_bits: half the widths of their 95 % intervals (own_doubt() in judge.hpp)
  double own_doubt = 0, learning_doubt = 0;
  // distance to the best candidate, with its standard error (text and seeds); 0 for the best
  double behind = 0, error = 0;
  double doubt = 0;  // half the width of the 95 % interval of `behind`, the search for learning rates included
  // of its learning rate, in bits per byte (RateChoice)
  double expected_loss = 0, loss_95_percent = 0;
  bool rates_told_apart = true;  // whether the search for learning rates said more than the prior
  // whether its training ended on a plateau or in a steep fall, so that more time would change its result
  bool unfinished = false;
  int64_t context = 0;      // bytes of context that it was judged with
  double step_seconds = 0;  // at that context; 0: not measured
  double state_bytes = 0;   // at that context
};

// A baseline, which costs nothing to train: the best of the frozen ones, or of those that learn while they read.
struct BestBaseline {
  std::string name;  // empty: there is none
  double bits_per_byte = 0;
};

struct Circumstances {
  std::string data, terms;  // such as "tinyshakespeare.txt" and "equal time (5m)"
  int64_t seeds = 1;        // trainings of the best two
  int64_t least_seeds = 1;  // trainings of the others
  bool searched = true;     // whether there was a search for learning rates at all
  bool complete = true;     // whether all candidates are judged
  BestBaseline frozen, learning;
};

struct Recommendation {
  std::optional<std::string> winner;
  std::string decided_by;  // "quality": ahead of all others by more than the doubt; "cost", "baseline" or "nothing"
  std::vector<std::string> sentences;
};

// Compares frozen models with frozen counts, and models that learn while reading with baselines that learn while
// reading. The winner comes from the first comparison; the second is reported beside it. Where a model and counts lie
// closer than the doubt of the model, the sentence says that it cannot be told whether it is worth its training. A
// candidate whose training is unfinished is no winner, and is neither counted as beaten nor as a rival.
Recommendation recommend(const std::vector<Contender>& contenders, const Circumstances& circumstances);

}  // namespace statera
