// What a text costs without a neural network: n-gram models, PPMd and xz, as rows beside a model.
#pragma once
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "statera/data.hpp"

namespace statera {

struct Baseline {
  std::string name;  // "n-gram order 3", "n-gram order 5, learning", "PPMd order 6", "xz"
  // none: the time was up before it was done. Half a baseline would flatter a model
  std::optional<double> bits_per_byte;
  bool learns = false;  // from the held-out text as it reads it, as compressors do; false: frozen, as models are
  std::string learned;  // "last 8.0 MB": what it learned from, where that is not all of the text to train on
  std::vector<float>
      nats;  // [bytes held out] what each byte cost; of the best row that learns and can say so, else empty
};

struct Baselines {
  std::vector<Baseline> rows;  // n-grams of order 0 and up, the best of them once more as it learns, PPMd, xz
  std::string note;            // what else was left out; empty if nothing was
};

struct BaselineOptions {
  double seconds = std::numeric_limits<double>::infinity();  // about so long may they take: they learn from the last
                                                             // part that it allows
  // seconds of the clock: what is not done then is not finished
  double stop_after = std::numeric_limits<double>::infinity();
  std::function<bool()> stop;     // asked a few times a second; true: what is not done yet is not finished
  std::function<double()> clock;  // seconds; none: the steady clock
};

// What they read is a function of the sizes and of `seconds`, so that figures do not depend on how busy the machine is.
Baselines baselines(const ByteSource& train, const ByteSource& held_out, const BaselineOptions& options = {});

// {"rows": [{"name", "bits_per_byte", "learns"?, "learned"?}, ...], "note": "..."}, as they stand in report.json
// (report/report.md); rows that are not finished are named in the note.
std::string baselines_json(const Baselines& baselines);

// How many of the last bytes of the text to train on, and of the first ones held out, baselines read in `seconds`, by
// the speed that is stated in baselines.cpp.
struct BaselineBytes {
  int64_t train, held_out;
};
BaselineBytes baseline_bytes(int64_t train_bytes, int64_t held_out_bytes, double seconds);
// About so long, of at most `seconds`.
double baseline_seconds(int64_t train_bytes, int64_t held_out_bytes, double seconds);
// Of a budget for everything, what baselines may take at most.
inline constexpr double baseline_share = 0.15;

}  // namespace statera
