// How a budget becomes fixed numbers of steps: costs are calibrated in one interleaved run. After that the clock
// decides nothing.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "statera/fields.hpp"
#include "lab/compare/candidates.hpp"
#include "lab/compare/settings.hpp"
#include "statera/data.hpp"
#include "statera/device.hpp"

namespace statera {

// The parts of the data, without overlap. Results come from `held_out`, the last bytes. Learning rates and the best
// step are chosen on `validation`: pieces at equal distances in the rest. The beginning alone may be unlike the rest
// (music begins quietly), and the text just before the held-out part says most about it and is better trained on.
struct Parts {
  ByteSource train, validation, held_out;
};
// Throws ErrorCode::config if the data are too short for the settings, and says how many bytes would do.
Parts cut(const ByteSource& source, const CompareSettings& settings);
// The parts as candidates read them. `seconds`: what making the units took.
UnitParts in_units(const Parts& parts, const std::shared_ptr<const Units>& units, double seconds = 0,
                   const std::function<void()>& often = {});

// The pieces of the validation text that a candidate over bytes is evaluated on (train/held_out.hpp), each a document
// of its own, so that one over tokens can be evaluated on the same bytes.
ByteSource evaluated(const ByteSource& validation, const Candidate& candidate, int64_t bytes);

// What a candidate costs on this machine.
struct Calibration {
  int64_t parameters = 0;
  int64_t embedding = 0;  // of these, what grows with the number of ids: the embedding and an output of its own
  int64_t positions = 0;  // per batch
  double bytes_per_id = 1;
  // per training step, optimizer included; FLOPs are those of the plain algorithm
  double step_seconds = 0, step_flops = 0;
  double evaluate_seconds = 0;     // per batch of validation windows
  double prefill_seconds = 0;      // per byte read by a Session
  double longest_state_bytes = 0;  // at the longest context that is measured
  double prepare_seconds = 0;      // for the tokenizer and to encode the text
  bool at_targets = false;         // whether learned routers were timed at their targets (inner_ratio.hpp)
  double bytes() const { return static_cast<double>(positions) * bytes_per_id; }  // per batch
  void visit(FieldVisitor& v) {
    v.field("parameters", parameters, "number of parameters");
    v.field("embedding", embedding, "of these, those of the embedding and of an output of its own");
    v.field("positions", positions, "positions per batch");
    v.field("bytes_per_id", bytes_per_id, "bytes that a position stands for, on average");
    v.field("prepare_seconds", prepare_seconds, "time to train the tokenizer and to encode the text");
    v.field("at_targets", at_targets, "whether learned routers were timed at their targets");
    v.field("step_seconds", step_seconds, "time of a training step");
    v.field("step_flops", step_flops, "minimal FLOPs of a training step");
    v.field("evaluate_seconds", evaluate_seconds, "time of a batch of validation windows");
    v.field("prefill_seconds", prefill_seconds, "time per byte that a session reads");
    v.field("longest_state_bytes", longest_state_bytes, "memory of the state at the longest context that is measured");
  }
};

// Measures the candidates in turn, several times, for about `seconds` in all. Results are medians. Stops after the
// first round, with what there is, if `stop` returns true.
std::vector<Calibration> calibrate(const std::vector<Candidate>&, const CompareSettings&, const Parts&, const Device&,
                                   double seconds, const std::function<bool()>& stop);

// How much each trial gets, the same for all candidates, in the unit that is matched; and how much is measured.
struct Amounts {
  // Per trial, in calibrated seconds, FLOPs or steps. search or noise is 0 if its share of the budget buys too little.
  double search = 0, train = 0, noise = 0;
  // trainings with another seed, for the first two candidates
  int64_t second_seeds = 0;
  int64_t validation_bytes = 0;  // per evaluation during training
  int64_t judged_bytes = 0;      // of the held-out text, read as one stream
  int64_t position_bytes = 0, noise_bytes = 0, passages = 0;
  std::string wrong() const;  // says which value is impossible; empty if none is
  void visit(FieldVisitor& v) {
    v.field("search", search, "amount per trial of a learning rate, in the unit that is matched");
    v.field("train", train, "amount per training, in the unit that is matched");
    v.field("noise", noise, "amount per training with fillers, in the unit that is matched");
    v.field("second_seeds", second_seeds, "trainings with another seed, for the first two candidates");
    v.field("validation_bytes", validation_bytes, "validation bytes per evaluation during training");
    v.field("judged_bytes", judged_bytes, "held-out bytes to judge on, read as one stream");
    v.field("position_bytes", position_bytes, "bytes read for bits by position");
    v.field("noise_bytes", noise_bytes, "bytes read per share of fillers");
    v.field("passages", passages, "passages copied for recall");
  }
};

constexpr int64_t evaluations = 20;  // per training
// Fewer steps in a trial of a learning rate leave all rates on the plateau at the beginning of training.
constexpr int64_t least_search_steps = 100;

bool searches(const CompareSettings&);  // whether there is more than one learning rate to choose from

// How much of the unit that is matched one step of this candidate uses: seconds, FLOPs, or one step.
double unit(const CompareSettings&, const Calibration&);
int64_t steps_for(const CompareSettings&, const Calibration&, double amount);
// Of a whole training. Where time is matched, that for the tokenizer is a part of it.
int64_t train_steps(const CompareSettings&, const Calibration&, const Amounts&);

// `spent`: seconds of the budget that are gone. Throws ErrorCode::config if the rest is too small, naming a budget that
// would do; and, if parameters are matched, if they differ by more than 3 %.
Amounts share_out(const CompareSettings&, const std::vector<Candidate>&, const std::vector<Calibration>&, const Parts&,
                  double spent = 0);

// The same checks for candidates that are added later and get what the first ones got. Throws ErrorCode::config.
void check_added(const CompareSettings&, const std::vector<Candidate>&, const std::vector<Calibration>&,
                 const Amounts&);

// Calibrated seconds for measuring one trained candidate.
double measure_seconds(const CompareSettings&, const Calibration&, const Amounts&);

// Calibrated seconds for all that a candidate adds: trainings and measurements.
double expected_seconds(const CompareSettings&, const Calibration&, const Amounts&);

}  // namespace statera
