// Progress of a training run on standard error: one line that is written over and over on a terminal, a line now and
// then elsewhere.
#pragma once
#include <chrono>
#include <string>

#include "live_lines.hpp"
#include "statera/train.hpp"

namespace statera::cli {

// What a line of at most `columns` says of a training run: what matters least is left out first. `held_out`: the last
// measurement, NaN: none yet; `measured`: the name of what it was taken on.
std::string progress_line(const TrainProgress&, double held_out, const char* measured, size_t columns);

class Progress {
 public:
  explicit Progress(const char* measured = "held-out");  // the name of the data that are measured on while training
  void show(const TrainProgress&);
  void note(const std::string& line);  // the last line of progress stays above it
  void finish() { lines_.keep(); }     // before anything else is written

 private:
  using Clock = std::chrono::steady_clock;
  const char* measured_;
  LiveLines lines_;
  double held_out_;
  Clock::time_point shown_;
};

}  // namespace statera::cli
