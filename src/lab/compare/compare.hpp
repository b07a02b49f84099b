// The comparison: every candidate gets the same, is trained, judged on the same bytes, measured, and one is
// recommended.
//
//   1. calibrate: what a step of each candidate costs, in one interleaved run; the budget becomes numbers of steps,
//   which are kept
//   2. search: each candidate tries as many learning rates around the usual one, in short trainings judged on
//   validation text (rates.hpp)
//   3. train: with the rate chosen, once a seed; the weights of the best step on validation text are judged on held-out
//   text, frozen
//   4. second seeds: where the first two lie closer than the doubt (judge.hpp), both are trained once more
//   5. learn: the trained model reads the held-out text once more and goes on learning from it, as a compressor does
//   6. noise: the trained model goes on for a while on a stream with fillers
//   7. measure: bits by position, recall, time and memory by context
//
// All that is done is kept in OUT (compare.sqlite, models/), so the same call goes on where it was cut, and one with
// more candidates adds to it; what each candidate gets stays what the first call bought.
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

// Where a comparison is, for whoever shows it.
struct CompareStatus {
  struct Line {
    std::string name, stage;   // "mamba2", "training, seed 1"
    double done = 0;           // of the stage, 0 to 1
    double bits_per_byte = 0;  // held-out, of seed 1, or the last on validation text while it trains; 0: none yet
    bool judged = false;       // on held-out text
  };
  std::vector<Line> candidates;
  std::string leader;  // of those that are judged; empty: none yet
  double seconds = 0, seconds_left = 0;
};

// What decides no figure.
struct CompareRun {
  std::string out;
  std::string version, commit, command;  // of the program, for the report
  double spent = 0;  // seconds of the budget that were gone before the call: the program's start, reading the data
  std::function<bool()> stop;                    // asked often: true ends the comparison with what there is
  std::function<void(const std::string&)> note;  // a line: where it is. OUT/compare.log gets each with its time, too
  std::function<void(const CompareStatus&)> status;  // several times a second while something trains
};

struct SavedComparison {
  CompareSettings settings;
  // so many of the data were read before reading was cut (ByteSource::cut), and are to be read again; 0: they are whole
  int64_t cut_bytes = 0;
};

// What OUT holds a comparison with; nothing if it holds none. Throws io or config for one that cannot be read.
std::optional<SavedComparison> saved_comparison(const std::string& out);

// The report (src/lab/report/report.md), also written to OUT/report.json; "complete" is false if it was stopped.
// Candidates that OUT has already stand in it too. Throws config if OUT holds a comparison of other data or settings,
// or the budget is too small; io.
nlohmann::ordered_json compare(const ByteSource& source, const std::vector<Candidate>& candidates,
                               const CompareSettings& settings, const Device& device, const CompareRun& run);

}  // namespace statera
