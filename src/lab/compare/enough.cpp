#include "lab/compare/enough.hpp"

#include <cmath>

#include "core/check.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
constexpr int64_t minute = 60, hour = 60 * minute, day = 24 * hour, year = 366 * day;

// Calibrations of one machine differ, by more while it does other work too.
constexpr double slower[] = {1, 1.25, 1.5};

bool is_enough(CompareSettings s, int64_t budget, const std::vector<Candidate>& candidates,
               const std::vector<Calibration>& all, const Parts& parts, const SpentBefore& before) {
  const double spent = before.seconds * (before.grows ? static_cast<double>(budget) / s.budget : 1);
  s.budget = static_cast<double>(budget);
  try {
    for (const double times : slower) {
      std::vector<Calibration> costs = all;
      for (Calibration& c : costs)
        for (double* seconds : {&c.step_seconds, &c.evaluate_seconds, &c.prefill_seconds, &c.prepare_seconds})
          *seconds *= times;
      // reading that grows is cut at its share of the budget, however slow it is
      static_cast<void>(share_out(s, candidates, costs, parts, spent * (before.grows ? 1 : times)));
    }
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::config) throw;
    return false;
  }
}
}  // namespace

int64_t next_budget(double seconds) {
  const auto at = static_cast<int64_t>(std::floor(seconds));
  const int64_t apart = at < minute        ? 10
                        : at < 2 * minute  ? 30
                        : at < 20 * minute ? minute
                        : at < hour        ? 5 * minute
                        : at < 4 * hour    ? 10 * minute
                        : at < day         ? hour
                                           : 6 * hour;
  return (at / apart + 1) * apart;
}

std::string budget_text(int64_t seconds) {
  if (seconds % minute != 0) return std::to_string(seconds) + "s";
  const int64_t hours = seconds / hour, minutes = seconds % hour / minute;
  return (hours > 0 ? std::to_string(hours) + "h" : "") +
         (minutes > 0 || hours == 0 ? std::to_string(minutes) + "m" : "");
}

Amounts share_out_or_say(const CompareSettings& s, const std::vector<Candidate>& candidates,
                         const std::vector<Calibration>& all, const Parts& parts, const SpentBefore& before) {
  try {
    return share_out(s, candidates, all, parts, before.seconds);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::config) throw;
    int64_t budget = next_budget(s.budget);
    while (budget < year && !is_enough(s, budget, candidates, all, parts, before))
      budget = next_budget(static_cast<double>(budget));
    if (budget >= year) throw;  // no budget helps
    fail(ErrorCode::config, "the budget is too small for ", all.size(),
         all.size() == 1 ? " candidate" : " candidates of this size",
         ", whose trainings would say nothing after so few steps; give --budget ", budget_text(budget),
         before.kept_flags ? before.kept_flags(static_cast<double>(budget)) : "",
         ", which is enough on this machine, or fewer --candidates, or a smaller --size");
  }
}

}  // namespace statera
