// What the store of a comparison knows about each candidate, and which of them is the best so far.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/compare/inner_ratio.hpp"
#include "lab/compare/judge.hpp"
#include "lab/compare/plan.hpp"
#include "lab/compare/rates.hpp"
#include "lab/compare/store.hpp"
#include "statera/config.hpp"

namespace statera {

struct Known {
  std::string name;
  nlohmann::ordered_json value;  // config, layers, costs
  Calibration costs;
  int64_t length = 0, batch = 0;
  Judged judged;  // the seeds that have been judged, from 1 on
  RateChoice rate;
  nlohmann::ordered_json trained;  // of seed 1, or of the first seed that failed; null if none
  int64_t seeds = 1;               // number of seeds asked for
  TrainingFlops flops;             // of `trained`
  bool unfinished = false;
  bool done() const { return std::ssize(judged.nats) >= seeds; }
};

ModelConfig config_of(const Known& known);

// All candidates, in the order in which they were added. Throws Error or nlohmann's exceptions if the store is
// damaged, as do the functions below.
std::vector<Known> all_known(const Store& store, const CompareSettings& settings, const Amounts& amounts);

// Of those that have finished, or of all where none has: the least mean among those with the most seeds, since only the
// first two after one seed get another. Null if none is done.
const Known* best_of(const std::vector<Known>& all);

// The JSON of a fact or a trial. Throws Error if the store is damaged.
nlohmann::ordered_json stored_json(const std::string& text);

// "rows" and "note"; empty if the baselines have not been measured yet.
nlohmann::ordered_json baselines_of(const Store& store);

// The cost of the frozen n-gram of this order on the held-out text; infinite if there is none. A model that costs more
// than counts of two or three bytes is still on the plateau at the beginning of training.
double counted(const Store& store, int order);

// The names of the best two candidates after one seed, finished ones first; empty if there are not two.
std::vector<std::string> first_two(const Store& store, const CompareSettings& settings, const Amounts& amounts);

// The trials of learning rates of a candidate, from the lowest rate to the highest.
std::vector<nlohmann::ordered_json> searched(const Store& store, const std::string& candidate);

}  // namespace statera
