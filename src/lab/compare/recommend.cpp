#include "lab/compare/recommend.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace statera {

namespace {
template <class... Values>
std::string text(const char* format, Values... values) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

std::string thousands(int64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

// "3.1 times smaller", "1.4 times larger", or nothing if they are within 5 % of each other.
std::string times(double mine, double other, const char* less, const char* more) {
  if (mine <= 0 || other <= 0) return "";
  const double ratio = other / mine, larger = std::max(ratio, 1 / ratio);
  if (larger < 1.05) return "";
  return text(larger < 10 ? "%.1f times %s" : "%.0f times %s", larger, ratio > 1 ? less : more);
}

// What taking `mine` instead of `other` costs or saves.
std::string price(const Contender& mine, const Contender& other, int64_t context) {
  const std::string state = times(mine.state_bytes, other.state_bytes, "smaller", "larger");
  const std::string step = times(mine.step_seconds, other.step_seconds, "faster", "slower");
  if (mine.step_seconds <= 0 || other.step_seconds <= 0) return "";
  const std::string at = " with " + thousands(context) + " bytes of context kept";
  if (state.empty() && step.empty()) return "their steps and states cost the same" + at;
  return (state.empty() ? "its state is as large" : "its state is " + state) + (step.empty() ? " and its step as fast" : " and its step " + step) + at;
}

std::string difference(const Contender& c) { return text("%.3f +- %.3f bits per byte", c.behind, c.error); }

// The fastest step, or among those within 5 % of it the smallest state; null while a cost is not measured.
const Contender* cheapest(const std::vector<const Contender*>& level) {
  double fastest = level.front()->step_seconds;
  for (const Contender* one : level) {
    if (one->step_seconds <= 0) return nullptr;
    fastest = std::min(fastest, one->step_seconds);
  }
  const Contender* winner = nullptr;
  for (const Contender* one : level)
    if (one->step_seconds <= 1.05 * fastest && (!winner || one->state_bytes < winner->state_bytes)) winner = one;
  return winner;
}

std::string names(const std::vector<const Contender*>& level) {
  std::string all;
  for (size_t i = 0; i < level.size(); ++i) all += (i == 0 ? "" : i + 1 == level.size() ? " and " : ", ") + level[i]->name;
  return all;
}

Recommendation by_cost(const std::vector<const Contender*>& level, const Contender& best, const Circumstances& c) {
  Recommendation r{.winner = {}, .decided_by = "cost", .sentences = {}};
  double apart = 0, error = 0;
  for (const Contender* one : level)
    if (one->behind >= apart) apart = one->behind, error = one->error;
  const Contender* winner = cheapest(level);
  r.sentences.push_back("On " + c.data + ", at " + c.terms + ", " + names(level) + " cannot be told apart: " + text("%.3f +- %.3f", apart, error) +
                        " bits per byte lie between them.");
  if (!winner) {
    r.decided_by = "nothing";
    r.sentences.push_back("What they cost is not measured yet; the same command goes on.");
    return r;
  }
  r.winner = winner->name;
  const Contender* other = winner == &best ? *std::find_if(level.begin(), level.end(), [&](const Contender* l) { return l != winner; }) : &best;
  const std::string gain = price(*winner, *other, c.context);
  r.sentences.push_back("By cost, take " + winner->name + ": beside " + other->name + ", " + gain + ".");
  return r;
}
}  // namespace

Recommendation recommend(const std::vector<Contender>& contenders, const Circumstances& c) {
  Recommendation r;
  if (contenders.empty()) return {.winner = {}, .decided_by = "nothing", .sentences = {"No candidate is trained and judged yet; the same command goes on."}};
  std::vector<Contender> ranked = contenders;
  std::stable_sort(ranked.begin(), ranked.end(), [](const Contender& a, const Contender& b) { return a.bits_per_byte < b.bits_per_byte; });
  const Contender& best = ranked.front();
  std::vector<const Contender*> level;  // that cannot be told from the best
  for (const Contender& one : ranked)
    if (&one == &best || one.behind <= one.doubt) level.push_back(&one);

  if (!c.complete && !c.best_baseline.empty() && c.baseline_bits <= best.bits_per_byte) {
    r.decided_by = "nothing";
    r.sentences.push_back("Not all candidates are judged yet: so far " + best.name + text(" costs %.3f bits per byte and ", best.bits_per_byte) + c.best_baseline +
                          text(" %.3f; the same command goes on.", c.baseline_bits));
  } else if (!c.best_baseline.empty() && c.baseline_bits <= best.bits_per_byte) {
    r.decided_by = "baseline";
    r.sentences.push_back("On " + c.data + ", at " + c.terms + ", no model is worth its training: " + c.best_baseline +
                          text(" costs %.3f bits per byte, ", c.baseline_bits) + best.name + text(", the best model, %.3f.", best.bits_per_byte));
    r.sentences.push_back("A larger --budget, in a folder of its own (--out), may change that.");
  } else if (ranked.size() == 1) {
    r.winner = best.name;
    r.decided_by = "quality";
    r.sentences.push_back("On " + c.data + ", " + best.name + text(" costs %.3f bits per byte; there is no other candidate to weigh it against.", best.bits_per_byte));
  } else if (level.size() > 1) {
    r = by_cost(level, best, c);
  } else {
    r.winner = best.name;
    r.decided_by = "quality";
    const Contender& second = ranked[1];
    const std::string cost = price(best, second, c.context);
    r.sentences.push_back("On " + c.data + ", at " + c.terms + ", " + best.name + " is " + difference(second) + " ahead of " + second.name +
                          (cost.empty() ? "." : "; " + cost + "."));
  }
  if (c.seeds == 1 && ranked.size() > 1 && r.decided_by != "baseline")
    r.sentences.push_back("The error counts the text, not the luck of a seed: each candidate was trained once (--seeds 3 would tell).");
  return r;
}

}  // namespace statera
