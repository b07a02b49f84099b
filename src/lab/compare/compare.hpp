// The comparison: every candidate gets the same, is trained, judged on the same bytes, measured, and one is recommended.
//
//   1. calibrate: what a step of each candidate costs, in one interleaved run; the budget becomes numbers of steps, which are kept
//   2. search: each candidate tries as many learning rates, in short trainings judged on validation text
//   3. train: with the best rate, once a seed; the weights of the best step on validation text are judged on held-out text
//   4. noise: the trained model goes on for a while on a stream with fillers
//   5. measure: bits by position, recall, time and memory by context
//
// All that is done is kept in OUT (compare.sqlite, models/), so the same call goes on where it was cut, and one with more candidates adds
// to it; what each candidate gets stays what the first call bought.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lab/compare/candidates.hpp"
#include "lab/compare/settings.hpp"
#include "statera/data.hpp"
#include "statera/device.hpp"
#include "statera/train.hpp"

namespace statera {

// What decides no figure.
struct CompareRun {
  std::string out;
  std::string version, commit, command;     // of the program, for the report
  std::function<bool()> stop;               // asked often: true ends the comparison with what there is
  std::function<void(const std::string&)> note;             // a line: where it is
  std::function<void(const TrainProgress&)> progress;       // of the training under way
};

// The settings that OUT holds a comparison with; false if it holds none. Throws io or config for one that cannot be read.
bool saved_settings(const std::string& out, CompareSettings& settings);

// The report (src/lab/report/report.md), also written to OUT/report.json; "complete" is false if it was stopped. Candidates that OUT has
// already stand in it too. Throws config if OUT holds a comparison of other data or settings, or the budget is too small; io.
nlohmann::ordered_json compare(const ByteSource& source, const std::vector<Candidate>& candidates, const CompareSettings& settings,
                               const Device& device, const CompareRun& run);

}  // namespace statera
