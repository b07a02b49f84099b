// Progress of a training run on standard error: one line that is written over and over on a terminal, a line now and then elsewhere.
#pragma once
#include <chrono>
#include <string>

#include "statera/train.hpp"

namespace statera::cli {

class Progress {
 public:
  explicit Progress(const char* measured = "held-out");  // the name of the data that are measured on while training
  ~Progress();
  void show(const TrainProgress&);
  void note(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  const char* measured_;
  const bool terminal_;
  bool open_ = false;  // the cursor stands behind an unfinished line
  double held_out_;
  Clock::time_point shown_;
};

}  // namespace statera::cli
