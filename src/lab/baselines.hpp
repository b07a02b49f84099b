// What a text costs without a neural network: the costs of n-gram models, PPMd, xz and counts of contexts, as rows
// beside a model.
#pragma once
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "counts/counts.hpp"
#include "statera/data.hpp"

namespace statera {

inline constexpr const char* counts_row = "context mixing";

struct Baseline {
  std::string name;  // "n-gram order 3", "n-gram order 5, learning", "PPMd order 6", "xz", counts_row
  // Empty if it did not finish in time. Half a baseline would make a model look better than it is.
  std::optional<double> bits_per_byte;
  // whether it goes on learning from the held-out text, as compressors do; false: frozen, as models are
  bool learns = false;
  std::string learned;  // what it learned from, if that is not all of the training text: "last 8.0 MB"
  // [bytes held out] the cost of each byte; only in the best learning row that has it, empty in the others
  std::vector<float> nats;
};

struct Baselines {
  std::vector<Baseline>
      rows;          // n-grams of order 0 and up, the best order once more as a learning model, PPMd, xz, counts
  std::string note;  // what else was left out; empty if nothing was
};

struct BaselineOptions {
  // About how long they may take. They learn from the last part of the training text that fits into this time.
  double seconds = std::numeric_limits<double>::infinity();
  // the value of `clock` at which unfinished rows are given up
  double stop_after = std::numeric_limits<double>::infinity();
  std::function<bool()> stop;     // called a few times per second; true: give up unfinished rows
  std::function<double()> clock;  // in seconds; empty: the steady clock
  // Receives the counts as they are before the held-out text, made for one outside distribution, if the row is
  // finished.
  std::optional<Counts>* primed = nullptr;
};

// The bytes that they read depend on the sizes and on `seconds` alone, so the results do not depend on how busy the
// machine is.
Baselines baselines(const ByteSource& train, const ByteSource& held_out, const BaselineOptions& options = {});

// The JSON of report.json (report/report.md): {"rows": [{"name", "bits_per_byte", "learns"?, "learned"?}, ...], "note":
// "..."}. Unfinished rows are named in the note.
std::string baselines_json(const Baselines& baselines);

// The counts that `baselines` primes with the training text, made again. Calls `often` every 16 KiB; it may throw.
Counts primed_counts(const ByteSource& train, const ByteSource& held_out, double seconds,
                     const std::function<void()>& often);

// Seconds per byte that the counts read, rounded up.
inline constexpr double counts_seconds_per_byte = 20e-6;

// How many of the last bytes of the training text, and of the first held-out bytes, baselines read in `seconds`. It
// assumes the speed that baselines.cpp states.
struct BaselineBytes {
  int64_t train, held_out;
  int64_t counts_train = 0;  // of these, the last that the counts read, which are slower; 0: no time for them
};
BaselineBytes baseline_bytes(int64_t train_bytes, int64_t held_out_bytes, double seconds);
// About how long they take, at most `seconds`.
double baseline_seconds(int64_t train_bytes, int64_t held_out_bytes, double seconds);
// The largest share of a total budget that baselines may take.
inline constexpr double baseline_share = 0.15;

}  // namespace statera
