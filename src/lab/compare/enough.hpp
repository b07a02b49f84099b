// What the refusal of a budget that is too small says: one that will be enough.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "lab/compare/plan.hpp"

namespace statera {

// What was spent of a budget before it is shared out.
struct SpentBefore {
  double seconds = 0;
  bool grows = false;  // with the budget: reading took all of its share and was cut there
  // flags that a call with another budget needs to get the same settings (CompareRun::kept_flags); may be null
  std::function<std::string(double budget)> kept_flags = {};
};

// A whole number of seconds above `seconds` that people would name: 30, 90, 120, 300, 3600.
int64_t next_budget(double seconds);
std::string budget_text(int64_t seconds);  // "90s", "5m", "1h10m", as --budget reads it

// share_out(). If the budget is too small, the error names one that would be accepted even if the machine were half as
// slow again when it is measured the next time.
Amounts share_out_or_say(const CompareSettings&, const std::vector<Candidate>&, const std::vector<Calibration>&,
                         const Parts&, const SpentBefore&);

}  // namespace statera
