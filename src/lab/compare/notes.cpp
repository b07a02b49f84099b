#include "lab/compare/notes.hpp"

#include <algorithm>
#include <string>

#include "lab/compare/inner_ratio.hpp"
#include "lab/report/keys.hpp"
#include "text/number.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// Notes that a text was read so often that more time makes the model memorise it.
void note_passes(const CompareSettings& settings, const Json& report, Json& lines) {
  if (settings.dropout > 0) return;
  constexpr double many = 4;
  const double text = report.at(key::data).at(key::train_bytes);
  std::vector<std::string> names;
  double most = 0;
  for (const Json& c : report.at(key::candidates)) {
    const double passes = c.value(key::train_bytes, 0.0) / text;
    if (passes < many) continue;
    names.push_back(c.at(key::name));
    most = std::max(most, passes);
  }
  if (names.empty()) return;
  lines.push_back(listed(names) + " read the training text up to " + fixed(most, 1) +
                  " times: --dropout 0.1, in another --out, may help more than a larger --budget");
}

// Says what each kind of tokens is.
void note_units(const CompareSettings& settings, const Json& report, Json& lines) {
  std::vector<std::string> said;
  for (const Json& c : report.at(key::candidates)) {
    const std::string units = c.at(key::units);
    if (units == "bytes" || std::ranges::count(said, units) > 0) continue;
    said.push_back(units);
    const std::string ids = std::to_string(c.at(key::vocabulary).get<int64_t>());
    const bool fewer = units.starts_with("bpe-") && units != "bpe-" + ids;
    lines.push_back(units + ": " + ids + " tokens" +
                    (fewer ? " (no other pair of neighbours occurs twice in the training text)" : "") + ", of " +
                    fixed(c.at(key::bytes_per_id), 2) + " bytes on average; making them and encoding the text took " +
                    plain_seconds(c.at(key::prepare_seconds)) +
                    (settings.match == "time" ? ", which are a part of the training time" : ""));
  }
  if (!said.empty()) lines.push_back("counts predict bytes, so models over tokens are not mixed with them");
}

// Says whether FLOPs are those of what inner stacks read or of what they were meant to read, and how they were timed.
void note_inner(const std::vector<Known>& all, Json& lines) {
  for (const Known& known : all) {
    if (known.trained.is_null() || known.trained.contains(key::error) || !has_inner_stacks(config_of(known))) continue;
    std::string line = known.name + ": its FLOPs count ", read, last;
    for (size_t i = 0; i < known.flops.ratios.size(); ++i) {
      read += (i > 0 ? " and " : "") + fixed(known.flops.ratios[i], 2);
      last += (i > 0 ? " and " : "") + fixed(known.flops.last[i], 2);
    }
    line += read.empty() ? "the ratio of its config, since it is not known what its inner stacks read in training"
                         : "what its inner stacks read in training, " + read + " positions per segment (at the end " +
                               last + "); its steps were planned with the ratio of its config";
    if (learns_cuts(config_of(known)))
      line += known.costs.at_targets ? "; so was its time, with cuts at equal distances"
                                     : "; its time is that of a router that had learned nothing, and may be far off: "
                                       "compare in a new --out";
    lines.push_back(line);
  }
}

// Notes lengths at which no training is finished; they have no row among the winners.
void note_unfinished(const CompareSettings& settings, const Json& report, Json& lines) {
  if (!report.contains(key::by_length) || !report.at(key::complete).get<bool>()) return;
  for (const int64_t length : settings.length_list())
    if (std::ranges::none_of(report.at(key::by_length), [&](const Json& row) { return row.at(key::length) == length; }))
      lines.push_back(
          "at " + std::to_string(length) +
          " bytes every training is unfinished, so no candidate is called the best; a larger --budget would tell");
}
}  // namespace

Json notes(const FindingsFrom& from, const std::vector<Known>& all, const Json& report) {
  Json lines = Json::array();
  if (from.amounts.judged_bytes > 0 && from.amounts.judged_bytes < from.parts.held_out.bytes())
    lines.push_back("judged on the first " + std::to_string(from.amounts.judged_bytes) + " of " +
                    std::to_string(from.parts.held_out.bytes()) +
                    " held-out bytes: more would take longer than the budget's share for measuring");
  note_units(from.settings, report, lines);
  note_inner(all, lines);
  note_passes(from.settings, report, lines);
  note_unfinished(from.settings, report, lines);
  for (const Json& c : report.at(key::candidates)) {
    const std::string name = c.at(key::name);
    if (c.contains(key::error)) lines.push_back(name + " failed: " + c.at(key::error).get<std::string>());
    if (const auto second = from.store.trial(name, "train", "seed 2"); second && from.settings.seeds == 1)
      if (const Json trial = stored_json(*second); trial.contains(key::error))
        lines.push_back(name + " failed with a second seed (" + trial.at(key::error).get<std::string>() +
                        "); its figures are of the first one");
    if (!c.contains(key::lr)) continue;
    const Json trained = stored_json(*from.store.trial(name, "train", "seed 1"));
    if (trained.at("best_step").get<double>() < 0.8 * trained.at(key::steps).get<double>())
      lines.push_back(name + " was best on validation text at step " +
                      std::to_string(trained.at("best_step").get<int64_t>()) + " of " +
                      std::to_string(trained.at(key::steps).get<int64_t>()) +
                      ", and is judged by those weights: it did not improve after that");
  }
  if (from.amounts.noise == 0 && from.amounts.train > 0 && from.settings.noise_share > 0 &&
      from.settings.length_list().size() == 1)
    lines.push_back(
        "noise is left out: its share of the budget buys fewer than 100 steps with fillers; a larger --budget measures "
        "it");
  const Json baselines = baselines_of(from.store);
  if (const std::string note = baselines.at("note"); !note.empty()) lines.push_back(note);
  return lines;
}

}  // namespace statera
