// Whether trainings take as long as they were planned to. The numbers of steps are fixed once a machine has been
// measured, so on one that is slower since, a comparison takes longer, and says so.
#pragma once
#include <optional>
#include <string>

namespace statera {

class Pace {
 public:
  void add(double planned, double taken) { planned_ += planned, taken_ += taken; }  // seconds of one training
  double times() const;  // how much longer than planned they have taken, at least 1

  // A line for the user, once: as soon as the trainings so far have taken more than a quarter longer than planned.
  // `left`: planned seconds of the work that is left; `since`: seconds since the comparison began; `promised`: seconds
  // for all of it, if that was said to the user.
  std::optional<std::string> slower(double left, double since, std::optional<double> promised);

 private:
  double planned_ = 0, taken_ = 0;
  bool said_ = false;
};

}  // namespace statera
