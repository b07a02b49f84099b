// A comparison. Every candidate gets the same amount of training, is judged on the same held-out bytes and measured.
// Then one is recommended. The stages:
//
//   1. calibrate: measures what a step of each candidate costs, in one interleaved run. The budget becomes numbers of
//      steps, which are stored.
//   2. search: each candidate tries the same number of learning rates around the usual one, in short trainings that are
//      judged on validation text (rates.hpp).
//   3. train: once per seed, with the chosen rate. The weights of the best step on validation text are judged on
//   held-out
//      text, frozen.
//   4. second seeds: the first two candidates are trained once more.
//   5. learn: the trained model reads the held-out text once more and goes on learning from it, as a compressor does.
//   6. noise: the trained model trains on for a while, on a stream with fillers.
//   7. measure: bits by position, recall, and time and memory by context.
//
// Everything is stored in OUT (compare.sqlite, models/). The same call resumes a run that was cut, and a call with more
// candidates or more seeds adds them; what each training gets stays as the first call fixed it.
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

// The progress of a comparison, for display.
struct CompareStatus {
  struct Line {
    std::string name, stage;   // such as "mamba2" and "training, seed 1"
    double done = 0;           // of the stage, from 0 to 1
    double bits_per_byte = 0;  // held-out, for seed 1; while it trains, the last value on validation text; 0: none yet
    bool judged = false;       // whether bits_per_byte is on held-out text
  };
  std::vector<Line> candidates;
  std::string leader;  // the best of those that are judged; empty: none yet
  double seconds = 0, seconds_left = 0;
};

// Options that do not change the results.
struct CompareRun {
  std::string out;
  std::string version, commit, command;  // of the program, for the report
  double spent = 0;  // seconds of the budget that were spent before the call: starting the program, reading the data
  std::function<bool()> stop;  // called often; true: end the comparison with what there is
  // The flags that a call with another budget needs to get the same settings (" --size tiny"), for the error that names
  // a budget; may be null.
  std::function<std::string(double budget)> kept_flags = {};
  // receives lines about progress; OUT/compare.log gets each of them with its time
  std::function<void(const std::string&)> note;
  // receives, besides, those of them that a user has to see
  std::function<void(const std::string&)> warn = {};
  std::function<void(const CompareStatus&)> status;  // called several times per second while something trains
};

struct SavedComparison {
  CompareSettings settings;
  // How many bytes were read before reading was cut (ByteSource::cut), so that the same bytes are read again; 0: not
  // cut.
  int64_t cut_bytes = 0;
};

// The settings of the comparison in OUT; empty if there is none. Throws ErrorCode::io or ErrorCode::config if they
// cannot be read.
std::optional<SavedComparison> saved_comparison(const std::string& out);

// Returns the report (src/lab/report/report.md) and writes it to OUT/report.json. Its "complete" is false if the
// comparison was stopped. Candidates that are already in OUT are in it too. Throws ErrorCode::config if OUT holds a
// comparison of other data or settings or the budget is too small, and leaves nothing that was not there before;
// ErrorCode::io.
nlohmann::ordered_json compare(const ByteSource& source, const std::vector<Candidate>& candidates,
                               const CompareSettings& settings, const Device& device, const CompareRun& run);

}  // namespace statera
