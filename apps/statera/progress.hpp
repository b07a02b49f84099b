// The progress of a training run, on standard error: one line that is overwritten on a terminal, and a new line now and
// then elsewhere.
#pragma once
#include <chrono>
#include <string>

#include "live_lines.hpp"
#include "statera/train.hpp"

namespace statera::cli {

// The line about a training run, at most `columns` wide; the least important parts are left out first. `held_out`: the
// last evaluation, NaN if there is none yet; `measured`: the name of the data that it is about.
std::string progress_line(const TrainProgress&, double held_out, const char* measured, size_t columns);

// Owns the line, and remembers the last evaluation. The name that it is given must outlive it. Not thread safe.
class Progress {
 public:
  explicit Progress(const char* measured = "held-out");  // the name of the data for evaluations during training
  void show(const TrainProgress&);
  void note(const std::string& line);  // the last line of progress stays above it
  void finish() { lines_.keep(); }     // call it before anything else is written

 private:
  using Clock = std::chrono::steady_clock;
  const char* measured_;
  LiveLines lines_;
  double held_out_;
  Clock::time_point shown_;
};

}  // namespace statera::cli
