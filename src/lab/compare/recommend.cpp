#include "lab/compare/recommend.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "text/number.hpp"

namespace statera {

namespace {
std::string bits(double value) { return fixed(value, 3); }

std::string thousands(int64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

// "3.1 times smaller", "1.4 times larger", or "" if they are within 5 % of each other.
std::string times(double mine, double other, const char* less, const char* more) {
  if (mine <= 0 || other <= 0) return "";
  const double ratio = other / mine, larger = std::max(ratio, 1 / ratio);
  if (larger < 1.05) return "";
  return fixed(larger, larger < 10 ? 1 : 0) + " times " + (ratio > 1 ? less : more);
}

// "512" or "512 and 2,048".
std::string contexts(const Contender& mine, const Contender& other) {
  return thousands(mine.context) + (mine.context == other.context ? "" : " and " + thousands(other.context));
}

// What it costs or saves to take `mine` instead of `other`, at the context at which their quality was judged.
std::string price(const Contender& mine, const Contender& other) {
  if (mine.step_seconds <= 0 || other.step_seconds <= 0) return "";
  const std::string state = times(mine.state_bytes, other.state_bytes, "smaller", "larger");
  const std::string step = times(mine.step_seconds, other.step_seconds, "faster", "slower");
  const std::string at = " with the " + contexts(mine, other) + " bytes of context that they were judged with";
  if (state.empty() && step.empty()) return "their steps and states cost the same" + at;
  return (state.empty() ? "its state is as large" : "its state is " + state) +
         (step.empty() ? " and its step as fast" : " and its step " + step) + at;
}

std::string difference(const Contender& c) { return bits(c.behind) + " +- " + bits(c.error) + " bits per byte"; }

// The candidate with the fastest step, or, among those within 5 % of it, the smallest state. Null if a cost is not
// measured yet.
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
  for (size_t i = 0; i < level.size(); ++i)
    all += (i == 0 ? "" : i + 1 == level.size() ? " and " : ", ") + level[i]->name;
  return all;
}

Recommendation by_cost(const std::vector<const Contender*>& level, const Contender& best, const Circumstances& c) {
  Recommendation r{.winner = {}, .decided_by = "cost", .sentences = {}};
  const Contender& farthest = **std::max_element(
      level.begin(), level.end(), [](const Contender* a, const Contender* b) { return a->behind < b->behind; });
  const Contender* winner = cheapest(level);
  r.sentences.push_back("On " + c.data + ", at " + c.terms + ", " + names(level) +
                        " cannot be told apart: " + bits(farthest.behind) +
                        " bits per byte lie between them, and the doubt is " + bits(farthest.doubt) + ".");
  if (!winner) {
    r.decided_by = "nothing";
    r.sentences.push_back("What they cost is not measured yet; run the same command again to continue.");
    return r;
  }
  r.winner = winner->name;
  const Contender* other =
      winner == &best ? *std::find_if(level.begin(), level.end(), [&](const Contender* l) { return l != winner; })
                      : &best;
  r.sentences.push_back("By cost, take " + winner->name + ": compared with " + other->name + ", " +
                        price(*winner, *other) + ".");
  return r;
}

bool some_unfinished(const std::vector<Contender>& all) { return std::ranges::any_of(all, &Contender::unfinished); }

// Whether a model is worth its training, beside counts that need none. Their costs by byte are not kept, so the error
// of the text is not in the doubt.
enum class Worth { no, cannot_be_told, yes };
Worth worth(double model, double doubt, const BestBaseline& counts) {
  if (counts.name.empty() || model < counts.bits_per_byte - doubt) return Worth::yes;
  return model < counts.bits_per_byte + doubt ? Worth::cannot_be_told : Worth::no;
}

// Decides by quality, among frozen models.
Recommendation by_quality(const Contender& best, const std::vector<const Contender*>& rivals,
                          const std::vector<Contender>& all, const Circumstances& c) {
  Recommendation r{.winner = best.name, .decided_by = "quality", .sentences = {}};
  if (rivals.empty()) {
    r.sentences.push_back("On " + c.data + ", " + best.name + " costs " + bits(best.bits_per_byte) +
                          " bits per byte; " +
                          (some_unfinished(all) ? "the others are unfinished, so there is none to compare it with."
                                                : "there is no other candidate to compare it with."));
    return r;
  }
  const Contender& second = *rivals.front();
  const std::string cost = price(best, second);
  r.sentences.push_back("On " + c.data + ", at " + c.terms + ", " + best.name + " is " + difference(second) +
                        " ahead of " + second.name + (cost.empty() ? "." : "; " + cost + "."));
  return r;
}

Recommendation not_all_judged(const Contender& best, const Circumstances& c) {
  return {.winner = {},
          .decided_by = "nothing",
          .sentences = {"Not all candidates are judged yet: so far " + best.name + " costs " +
                        bits(best.bits_per_byte) + " bits per byte" +
                        (c.frozen.name.empty() ? "" : " and " + c.frozen.name + " " + bits(c.frozen.bits_per_byte)) +
                        "; run the same command again to continue."}};
}

// No candidate is the best where the trainings of all of them are unfinished.
Recommendation none_finished(const Contender& least, const Circumstances& c) {
  if (!c.complete) return not_all_judged(least, c);
  Recommendation r{.winner = {}, .decided_by = "nothing", .sentences = {}};
  r.sentences.push_back("On " + c.data + ", at " + c.terms +
                        ", every training is unfinished, so no candidate is called the best: so far " + least.name +
                        " costs " + bits(least.bits_per_byte) + " bits per byte" +
                        (c.frozen.name.empty() ? "" : ", and " + c.frozen.name + " " + bits(c.frozen.bits_per_byte)) +
                        ".");
  return r;
}

// The least of a figure that is 0 where it was not measured; of a candidate that has finished if one has.
const Contender* least_of(const std::vector<Contender>& all, double Contender::*figure) {
  const auto place = [&](const Contender& one) { return std::pair(one.unfinished, one.*figure); };
  const Contender* best = nullptr;
  for (const Contender& one : all)
    if (one.*figure > 0 && (!best || place(one) < place(*best))) best = &one;
  return best;
}

// The comparison of models and baselines that learn while they read.
std::string among_learners(const std::vector<Contender>& ranked, const Circumstances& c) {
  const Contender* best = least_of(ranked, &Contender::learning_bits);
  if (!best || c.learning.name.empty()) return "";
  const Contender* mixed = least_of(ranked, &Contender::mixed_bits);
  const auto called = [](const Contender& one) { return one.name + (one.unfinished ? ", unfinished," : ""); };
  const std::string model = called(*best) + " costs " + bits(best->learning_bits),
                    counts = c.learning.name + " costs " + bits(c.learning.bits_per_byte);
  std::string said = "Among those that keep learning while they read" +
                     std::string(c.seeds > 1 ? " (models of the first seed alone), " : ", ") +
                     (best->learning_bits < c.learning.bits_per_byte ? model + " bits per byte, and " + counts
                                                                     : counts + " bits per byte, and " + model);
  const bool mixture = mixed && mixed->mixed_bits < std::min(best->learning_bits, c.learning.bits_per_byte);
  if (mixture)
    return said + "; " + called(*mixed) + " mixed with counts of contexts costs " + bits(mixed->mixed_bits) + ".";
  switch (worth(best->learning_bits, best->learning_doubt, c.learning)) {
    case Worth::yes:
      return said + ".";
    case Worth::cannot_be_told:
      return said + ": to compress such data, it cannot be told whether " + best->name +
             " is worth its training, and the doubt of that is " + bits(best->learning_doubt) + ".";
    case Worth::no:
      break;
  }
  const std::string who = best->unfinished ? "no model here is worth its training so far, and all are unfinished."
                          : some_unfinished(ranked) ? "no finished model here is worth its training."
                                                    : "no model here is worth its training.";
  return said + ": to compress such data, " + who;
}

// Of the candidates whose rates the search could not tell apart: what their rates are, and what better ones would gain.
void add_rates(const std::vector<Contender>& ranked, const Circumstances& c, std::vector<std::string>& sentences) {
  std::vector<const Contender*> blind;
  for (const Contender& one : ranked)
    if (!one.rates_told_apart) blind.push_back(&one);
  if (blind.empty()) return;
  const Contender& most = **std::ranges::max_element(blind, {}, &Contender::expected_loss);
  sentences.push_back((c.searched ? "The search could not tell the learning rates of " + names(blind) +
                                        " apart, so the rate is the usual one, moved by the little that the search "
                                        "says"
                                  : "The budget is too small to search for learning rates, so each candidate has its "
                                    "usual one") +
                      "; the best rate is expected to gain about " + bits(most.expected_loss) + " bits per byte" +
                      (blind.size() > 1 ? " with " + most.name + ", where it would gain most" : "") +
                      ", and in 95 % of cases less than " + bits(most.loss_95_percent) +
                      ", which is what the doubt counts.");
}

// What the results leave open, one sentence each.
void add_doubts(const std::vector<Contender>& ranked, const Circumstances& c, std::vector<std::string>& sentences) {
  for (const Contender& one : ranked)
    if (one.unfinished)
      sentences.push_back(one.name + ", at " + bits(one.bits_per_byte) +
                          " bits per byte, is unfinished: its training ended on a plateau or in a steep fall. It is "
                          "not beaten" +
                          std::string(one.behind < 0 && !ranked.front().unfinished
                                          ? ", and costs less than the best that has finished"
                                          : "") +
                          "; a larger --budget would tell.");
  add_rates(ranked, c, sentences);
  if (c.seeds == 1 && ranked.size() > 1)
    sentences.push_back(
        "Each candidate was trained once; the doubt includes the usual difference between seeds (--seeds 3 would "
        "measure it).");
  else if (c.least_seeds < c.seeds)
    sentences.push_back(
        "Where a candidate was trained with several seeds, its bits per byte are their mean, and all other figures are "
        "of the first seed; two candidates are compared on the seeds that both have.");
}

// `taken` is recommended. It may be only as good within the doubt as `best`, which is not told to be worse than the
// counts.
std::string among_frozen(const Contender& taken, const Contender& best, const Circumstances& c) {
  const Worth itself = worth(taken.bits_per_byte, taken.own_doubt, c.frozen),
              other = worth(best.bits_per_byte, best.own_doubt, c.frozen);
  const std::string figures = " worth its training: " + c.frozen.name + ", the best of the n-grams, costs " +
                              bits(c.frozen.bits_per_byte) + " bits per byte and " + taken.name + " " +
                              bits(taken.bits_per_byte);
  if (itself == Worth::yes) return "Among frozen models it is" + figures + ".";
  if (itself == Worth::cannot_be_told && other != Worth::yes)
    return "Among frozen models it cannot be told whether it is" + figures + ", and the doubt of its training is " +
           bits(taken.own_doubt) + ".";
  return "Among frozen models it may be" + figures + "; " + best.name + ", from which it cannot be told apart, costs " +
         bits(best.bits_per_byte) + ".";
}

Recommendation no_model(const Contender& best, const std::vector<Contender>& all, const Circumstances& c) {
  if (!c.complete) return not_all_judged(best, c);
  const std::string figures = c.frozen.name + " costs " + bits(c.frozen.bits_per_byte) + " bits per byte, ";
  const char* which = some_unfinished(all) ? "finished model" : "model";
  return {.winner = {},
          .decided_by = "baseline",
          .sentences = {"On " + c.data + ", at " + c.terms + ", no " + which +
                            " is worth its training: among frozen models, " + figures + best.name + ", the best " +
                            which + ", " + bits(best.bits_per_byte) + ".",
                        "A larger --budget, in a folder of its own (--out), may change that."}};
}

// Among those that have finished: ranked.front() is one of them.
Recommendation among_finished(const std::vector<Contender>& ranked, const Circumstances& c) {
  const Contender& best = ranked.front();
  // level: too close to the best to tell apart, itself included; rivals: all others
  std::vector<const Contender*> level = {&best}, rivals;
  for (const Contender& one : ranked) {
    if (&one == &best || one.unfinished) continue;
    rivals.push_back(&one);
    if (one.behind <= one.doubt) level.push_back(&one);
  }
  if (worth(best.bits_per_byte, best.own_doubt, c.frozen) == Worth::no) return no_model(best, ranked, c);
  Recommendation r = level.size() > 1 ? by_cost(level, best, c) : by_quality(best, rivals, ranked, c);
  const auto taken =
      std::ranges::find_if(level, [&](const Contender* one) { return one->name == r.winner.value_or(best.name); });
  if (!c.frozen.name.empty()) r.sentences.push_back(among_frozen(taken == level.end() ? best : **taken, best, c));
  return r;
}
}  // namespace

Recommendation recommend(const std::vector<Contender>& contenders, const Circumstances& c) {
  if (contenders.empty())
    return {.winner = {},
            .decided_by = "nothing",
            .sentences = {"No candidate is trained and judged yet; run the same command again to continue."}};
  std::vector<Contender> ranked = contenders;
  std::stable_sort(ranked.begin(), ranked.end(), [](const Contender& a, const Contender& b) {
    return std::tuple(a.unfinished, a.behind, a.bits_per_byte) < std::tuple(b.unfinished, b.behind, b.bits_per_byte);
  });
  Recommendation r = ranked.front().unfinished ? none_finished(ranked.front(), c) : among_finished(ranked, c);
  if (const std::string learners = among_learners(ranked, c); !learners.empty()) r.sentences.push_back(learners);
  add_doubts(ranked, c, r.sentences);
  return r;
}

}  // namespace statera
