// How a budget becomes fixed numbers of steps: costs are calibrated in one interleaved run, then the clock decides
// nothing more.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/fields.hpp"
#include "lab/compare/candidates.hpp"
#include "lab/compare/settings.hpp"
#include "statera/data.hpp"
#include "statera/device.hpp"

namespace statera {

// Nothing is shared. Figures come from `held_out`, the last bytes. Learning rates and the best step are chosen on
// `validation`: pieces at even distances in what precedes, because the beginning alone may be unlike the rest (music
// begins quietly), and because what lies next to the held-out part tells most about it and is better trained on.
struct Parts {
  ByteSource train, validation, held_out;
};
// Throws config if the data are too short for the settings, and says how many bytes would do.
Parts cut(const ByteSource& source, const CompareSettings& settings);

// What one candidate costs on this machine.
struct Calibration {
  int64_t parameters = 0;
  int64_t positions = 0;                    // bytes of a batch
  double step_seconds = 0, step_flops = 0;  // a training step, optimizer included; FLOPs are minimal ones
  double evaluate_seconds = 0;              // a batch of validation windows
  double prefill_seconds = 0;               // a byte read by a Session
  double longest_state_bytes = 0;           // at the longest context that is measured
  void visit(FieldVisitor& v) {
    v.field("parameters", parameters, "of the model");
    v.field("positions", positions, "bytes of a batch");
    v.field("step_seconds", step_seconds, "a training step");
    v.field("step_flops", step_flops, "minimal FLOPs of a training step");
    v.field("evaluate_seconds", evaluate_seconds, "a batch of validation windows");
    v.field("prefill_seconds", prefill_seconds, "a byte read by a session");
    v.field("longest_state_bytes", longest_state_bytes, "of state at the longest context that is measured");
  }
};

// Takes the candidates in turn, several times, about `seconds` in all; medians. Stops early, with what there is, when
// asked to after the first round.
std::vector<Calibration> calibrate(const std::vector<Candidate>&, const CompareSettings&, const Parts&, const Device&,
                                   double seconds, const std::function<bool()>& stop);

// What each trial gets, the same for all candidates, in the unit that is matched; and how much is measured.
struct Amounts {
  // of one trial: calibrated seconds, FLOPs or steps; search or noise 0: its share buys too few
  double search = 0, train = 0, noise = 0;
  int64_t second_seeds = 0;      // trainings that are kept for the first two, should they lie too close to tell apart
  int64_t validation_bytes = 0;  // of one measurement while training
  int64_t judged_bytes = 0;      // of the held-out text, as one stream
  int64_t position_bytes = 0, noise_bytes = 0, passages = 0;
  std::string wrong() const;  // what of it cannot be; empty: nothing
  void visit(FieldVisitor& v) {
    v.field("search", search, "of a trial of a learning rate, in the unit that is matched");
    v.field("train", train, "of a training");
    v.field("noise", noise, "of going on with fillers");
    v.field("second_seeds", second_seeds, "trainings kept for the first two, should they lie too close to tell apart");
    v.field("validation_bytes", validation_bytes, "of a measurement while training");
    v.field("judged_bytes", judged_bytes, "of the held-out text, read as one stream");
    v.field("position_bytes", position_bytes, "read for bits by position");
    v.field("noise_bytes", noise_bytes, "read for each share of fillers");
    v.field("passages", passages, "copied for recall");
  }
};

constexpr int64_t evaluations = 20;  // in a training
// of a trial of a learning rate: below these all rates end on the plateau where training begins
constexpr int64_t least_search_steps = 100;

bool searches(const CompareSettings&);  // with one learning rate there is nothing to choose

// What a step of this candidate uses up of the unit that is matched: seconds, FLOPs, or one step.
double unit(const CompareSettings&, const Calibration&);
int64_t steps_for(const CompareSettings&, const Calibration&, double amount);

// `spent`: seconds of the budget that are gone. Throws config if what is left is too small, naming a budget that would
// do; and, matching parameters, if they differ by more than 3 %.
Amounts share_out(const CompareSettings&, const std::vector<Candidate>&, const std::vector<Calibration>&, const Parts&,
                  double spent = 0);

// The same checks for candidates that join later and get what the first ones got. Throws config.
void check_added(const CompareSettings&, const std::vector<Candidate>&, const std::vector<Calibration>&,
                 const Amounts&);

// Calibrated seconds of measuring one trained candidate.
double measure_seconds(const CompareSettings&, const Calibration&, const Amounts&);

// Calibrated seconds of everything that a candidate adds: trainings, measurements.
double expected_seconds(const CompareSettings&, const Calibration&, const Amounts&);

}  // namespace statera
