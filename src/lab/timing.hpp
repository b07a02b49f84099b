// What measurements of time share: a clock, medians with their spread, and a time limit that records what it left out.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "statera/fields.hpp"

namespace statera {

double clock_seconds();                     // monotonic
double median(std::vector<double> values);  // the upper one of an even number of values; 0 of none
std::string date_text();                    // now, as "2026-01-31T12:00:00Z"

struct Timing {
  double seconds = 0;  // median
  double spread = 0;   // interquartile range
  int64_t runs = 0;
};
Timing timing_of(std::vector<double> seconds);

struct LeftOut {
  std::string what, why;
  void visit(FieldVisitor& v) {
    v.field("what", what, "what was not measured");
    v.field("why", why, "why it was not measured");
  }
};

// The terms of a benchmark: how long it may take, where it reports its progress, and what it has left out. Not thread
// safe.
struct BenchTerms {
  double ends = 0;                               // clock_seconds() at which it should be done; 0: no limit
  std::function<void(const std::string&)> note;  // receives lines about progress
  std::vector<LeftOut> left_out;

  double seconds_left() const;  // infinity without a limit
  // Whether work of `seconds` still fits. If not, records `what` as left out.
  bool fits(double seconds, const std::string& what);
  // Whether to repeat work of `seconds`: whether it takes at most a tenth of the time that is left.
  bool worth(double seconds) const;
  void leave_out(const std::string& what, const std::string& why);
};

}  // namespace statera
