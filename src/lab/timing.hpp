// What measurements of time have in common: a clock, medians with their spread, a limit that leaves work out and says
// so.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/fields.hpp"

namespace statera {

double clock_seconds();                     // of a clock that only goes forward
double median(std::vector<double> values);  // the upper one of an even number; 0 of none
std::string date_text();                    // now, "2026-01-31T12:00:00Z"

struct Timing {
  double seconds = 0;  // median
  double spread = 0;   // distance of the quartiles
  int64_t runs = 0;
};
Timing timing_of(std::vector<double> seconds);

struct LeftOut {
  std::string what, why;
  void visit(FieldVisitor& v) {
    v.field("what", what, "what was not measured");
    v.field("why", why, "and why");
  }
};

// The terms of a benchmark: what it may take, and where it tells how far it is.
struct BenchTerms {
  double ends = 0;                               // clock_seconds() at which it should be done; 0: no limit
  std::function<void(const std::string&)> note;  // a line of progress
  std::vector<LeftOut> left_out;

  double seconds_left() const;  // infinity without a limit
  // Whether work of so many seconds still fits; if not, it is noted as left out.
  bool fits(double seconds, const std::string& what);
  // whether to repeat what takes so many seconds: if it uses up no more than a tenth of what is left
  bool worth(double seconds) const;
  void leave_out(const std::string& what, const std::string& why);
};

}  // namespace statera
