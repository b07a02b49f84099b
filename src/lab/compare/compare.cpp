#include "lab/compare/compare.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "core/check.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "io/printable.hpp"
#include "lab/baselines.hpp"
#include "lab/compare/comparison.hpp"
#include "lab/compare/enough.hpp"
#include "lab/compare/findings.hpp"
#include "lab/compare/known.hpp"
#include "lab/compare/folder.hpp"
#include "lab/report/keys.hpp"
#include "lab/report/report.hpp"
#include "lab/timing.hpp"
#include "lab/training_data.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char *store_name = "compare.sqlite", *journal_name = "compare.sqlite-journal",
                     *log_name = "compare.log";

std::string store_path(const std::string& out) { return out + "/" + store_name; }

// SQLite changes the database in place, even when it is first opened after a process was killed.
std::string own_store(OutputFolder& folder) {
  for (const char* name : {store_name, journal_name}) folder.own(name);
  // the store does not create them, and SQLite would remove files with such names
  for (const char* ending : {"-wal", "-shm"}) {
    const std::string path = store_path(folder.path()) + ending;
    require(!fs::exists(fs::symlink_status(path)), ErrorCode::io, path,
            ": was not written by statera, and would be removed; move it away");
  }
  return store_path(folder.path());
}

std::string short_name(const std::string& path) {
  const std::string name = fs::path(path).lexically_normal().filename().string();
  return name.empty() ? path : name;
}
}  // namespace

Comparison::Comparison(OutputFolder& folder, const ByteSource& source, const CompareSettings& settings,
                       const Device& device, const CompareRun& run)
    : folder_(folder),
      source_(source),
      settings_(settings),
      device_(device),
      run_(run),
      parts_(cut(source, settings)),
      store_(own_store(folder), [this] { folder_.check_place(); }),
      log_(folder.append(log_name)),
      begun_(clock_seconds()) {}

Comparison::~Comparison() { std::fclose(log_); }

Json Comparison::go(const std::vector<Candidate>& wanted) {
  bool complete = true;
  agree();
  try {
    enter(at_lengths(wanted, settings_));
    say_more_seeds();
    compare_baselines();
    for (const Entry& entry : entries_) search(entry);
    for (const Entry& entry : entries_)
      for (int64_t seed = 1; seed <= settings_.seeds; ++seed) train_and_judge(entry, seed);
    second_seeds();
    for (const Entry& entry : entries_) learn(entry);
    primed_.reset();
    for (const Entry& entry : entries_) noise(entry);
    for (const Entry& entry : entries_) measure(entry);
    measure_speed();
    // only now, so that a call for fewer seeds shows what there was if this one is cut
    if (more_seeds_) store_.keep_fact("settings", write_fields(settings_));
  } catch (const Stopped&) {
    complete = false;
  }
  Json report = findings({source_, parts_, settings_, amounts_, store_, device_, run_}, complete);
  const std::string text = report.dump(1) + "\n";
  // before it replaces an earlier one
  static_cast<void>(parse_report(text, store_path(run_.out) + ": the report of it"));
  write_file(folder_.at("report.json"), text);
  point_at_winner(report.at(key::recommendation).value(key::winner, ""));
  return report;
}

void Comparison::note(const std::string& line) const {
  if (run_.note) run_.note(line);
  const std::string dated = date_text() + "  " + printable(line) + "\n";  // names of candidates come from the user
  const bool written = std::fwrite(dated.data(), 1, dated.size(), log_) == dated.size() && std::fflush(log_) == 0;
  require(written, ErrorCode::io, run_.out, "/compare.log: cannot write: ", std::strerror(errno),
          "; then run the same command again");
}

// OUT/winner is a link to the recommended model, if there is one.
void Comparison::point_at_winner(const std::string& name) const {
  try {
    if (name.empty())
      folder_.remove("winner");
    else
      folder_.link("winner", "models/" + name);
  } catch (const Error& error) {  // not all file systems have links
    note(std::string(error.what()) + (name.empty() ? "" : "; the winner is in " + run_.out + "/models/" + name));
  }
  folder_.check_place();
}

// Checks that the folder holds a comparison of the same data and settings, or is new.
void Comparison::agree() {
  if (const auto kept = store_.fact("data"))
    require(*kept == fingerprint_text(), ErrorCode::config, run_.out, " holds a comparison on other data (",
            store_.fact("data_name").value_or("?"), "); choose another folder with --out");
  if (const auto kept = store_.fact("settings")) {
    CompareSettings before;
    read_fields({*kept, store_path(run_.out)}, before);
    more_seeds_ = before.seeds < settings_.seeds;
    if (more_seeds_) before.seeds = settings_.seeds;
    const std::vector<std::string> differ = differing_fields(before, settings_);
    require(differ.empty(), ErrorCode::config, run_.out, " holds a comparison with other settings (",
            differ.empty() ? "" : differ.front(), " now); choose another folder with --out");
  }
}

// More seeds than in earlier calls: their trainings are as long as those that are done, whatever the budget was.
void Comparison::say_more_seeds() {
  if (!more_seeds_) return;
  const std::string line = "more seeds than before, " + std::to_string(settings_.seeds) +
                           " in all: what is left takes about " + seconds_text(seconds_left()) + ", beyond the budget";
  note(line);
  if (run_.warn) run_.warn(line);
}

// Stores what later calls must agree with. This happens once there is a plan, so that a call that failed before has no
// effect.
void Comparison::keep_terms(const Amounts& amounts) {
  planned_ = true;
  store_.keep_fact("data", fingerprint_text());
  store_.keep_fact("data_name", short_name(source_.name()));
  if (!source_.cut().empty()) store_.keep_fact("cut_bytes", std::to_string(source_.bytes()));
  store_.keep_fact("settings", write_fields(settings_));
  store_.keep_fact("amounts", write_fields(amounts));
}

std::string Comparison::fingerprint_text() const {
  return std::to_string(source_.bytes()) + " bytes, " + std::to_string(fingerprint(source_));
}

namespace {
// Checks the contents of the database, which somebody may have changed: names become folders, and amounts are divided
// by.
[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  fail(ErrorCode::io, path, " is damaged (", what, "); choose another folder with --out");
}

void check_costs(const std::string& path, const Candidate& candidate, const Calibration& costs) {
  const auto above_0 = [&](const char* name, double value) {
    if (!(value > 0 && std::isfinite(value)))
      damaged(path,
              in_quotes(candidate.name) + " has " + name + " " + number_text(value) + ", expected a number above 0");
  };
  above_0("step_seconds", costs.step_seconds);
  above_0("step_flops", costs.step_flops);
  above_0("evaluate_seconds", costs.evaluate_seconds);
  above_0("prefill_seconds", costs.prefill_seconds);
  above_0("parameters", static_cast<double>(costs.parameters));
  if (!(costs.longest_state_bytes >= 0 && std::isfinite(costs.longest_state_bytes)))
    damaged(path, in_quotes(candidate.name) + " has longest_state_bytes below 0");
  above_0("bytes_per_id", costs.bytes_per_id);
  if (!(costs.prepare_seconds >= 0 && std::isfinite(costs.prepare_seconds)) || costs.embedding < 0)
    damaged(path, in_quotes(candidate.name) + " has prepare_seconds or embedding below 0");
  if (std::abs(costs.bytes_per_id - candidate.bytes_per_id()) > 1e-6 * costs.bytes_per_id)
    damaged(path, in_quotes(candidate.name) + " has other bytes_per_id than its units make of the data");
  if (costs.positions != candidate.positions())
    damaged(path, in_quotes(candidate.name) + " has other positions than its length and batch make");
}

Entry read_entry(const std::string& path, const std::string& name, const std::string& value) {
  constexpr size_t longest_name = 255;
  if (name.empty() || name == "." || name == ".." || name.size() > longest_name ||
      name.find_first_of(std::string_view("/\0", 2)) != name.npos)
    damaged(path, "a candidate is called " + in_quotes(name) + ", which is no name of a folder");
  const Json json = parse_ordered_json(value, path);
  Entry entry{{.name = name, .config = ModelConfig::parse(json.at("config").dump(), printable(name))}, {}};
  entry.candidate.units = json.value("units", entry.candidate.units);
  entry.candidate.config.where = json.at("where");
  const auto whole = [&](const char* key, int64_t least, int64_t most) {
    const Json& number = json.at(key);
    if (!number.is_number_integer() || number < least || number > most)
      damaged(path, in_quotes(name) + " has " + key + " " + number.dump() + ", expected " + std::to_string(least) +
                        " to " + std::to_string(most));
    return number.get<int64_t>();
  };
  entry.candidate.length = whole("length", least_length, most_length);
  entry.candidate.batch = whole("batch", 1, most_batch);
  read_fields({json.at("costs").dump(), path}, entry.costs);
  return entry;
}
}  // namespace

// Takes known candidates from the store, then calibrates the new ones of `wanted`.
void Comparison::enter(const std::vector<Candidate>& wanted) {
  for (const auto& [name, value] : store_.candidates()) {
    Entry entry = read_entry(store_path(run_.out), name, value);
    std::shared_ptr<const UnitParts> units = stored_units(entry.candidate.units);
    if (!units)
      damaged(store_path(run_.out),
              in_quotes(name) + " reads " + in_quotes(entry.candidate.units) + ", which it has not");
    give_units(entry.candidate, std::move(units));
    check_costs(store_path(run_.out), entry.candidate, entry.costs);
    entries_.push_back(std::move(entry));
  }
  std::vector<Candidate> fresh;
  for (Candidate candidate : wanted) {
    give_units(candidate, wanted_units(candidate.units));
    const auto known = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& e) { return e.candidate.name == candidate.name; });
    if (known == entries_.end())
      fresh.push_back(candidate);
    else
      require(known->candidate.config.json() == candidate.config.json(), ErrorCode::config, run_.out,
              " has another candidate called '", candidate.name,
              "'; rename the file, or choose another folder with --out");
  }
  check_free(fresh);
  const auto kept = store_.fact("amounts");
  if (!kept && !entries_.empty()) damaged(store_path(run_.out), "it has candidates and no amounts");
  if (kept) {
    read_fields({*kept, store_path(run_.out)}, amounts_);
    if (const std::string wrong = amounts_.wrong(); !wrong.empty()) damaged(store_path(run_.out), "amounts: " + wrong);
  }
  if (!fresh.empty()) add(std::move(fresh));
}

// The folders of a new candidate must not exist yet. If they do, the user put something there, or the database that
// knew of them is gone.
void Comparison::check_free(const std::vector<Candidate>& fresh) const {
  std::error_code ignored;
  for (const Candidate& candidate : fresh)
    for (const char* folder : {"models", "trials"}) {
      const std::string path = run_.out + "/" + folder + "/" + candidate.name;
      if (!fs::exists(fs::symlink_status(path, ignored)) ||
          (fs::is_directory(path, ignored) && fs::is_empty(path, ignored)))
        continue;
      require(!entries_.empty(), ErrorCode::io, store_path(run_.out),
              ": is empty or damaged: it knows of no candidate, though ", path,
              " is there; put an earlier copy of it back, or choose another folder with --out");
      fail(ErrorCode::io, path,
           ": was not written by this comparison, and would be replaced; move it away, or choose another folder with "
           "--out");
    }
}

void Comparison::add(std::vector<Candidate> fresh) {
  note("calibrating " + std::to_string(fresh.size()) + (fresh.size() == 1 ? " candidate" : " candidates") + " in turn");
  const bool first = entries_.empty();
  // One old candidate is calibrated too, so that a machine that is busier now than then gives nobody an advantage.
  std::vector<Candidate> timed = fresh;
  if (!first) timed.push_back(entries_.front().candidate);
  const double before = clock_seconds() - begun_;  // for tokenizers
  const double seconds = std::clamp(0.03 * settings_.budget, 0.2, 30.0);
  std::vector<Calibration> costs = calibrate(timed, settings_, parts_, device_, seconds, run_.stop);
  go_on();
  if (first) {
    // where time is matched, tokenizers are a part of each training
    amounts_ = share_out_or_say(
        settings_, fresh, costs, parts_,
        {run_.spent + (settings_.match == "time" ? 0 : before), !source_.cut().empty(), run_.kept_flags});
    keep_terms(amounts_);
  } else {
    check_added(settings_, timed, costs, amounts_);
    const double then = entries_.front().costs.step_seconds / costs.back().step_seconds;
    for (Calibration& c : costs)
      for (double* seconds_of : {&c.step_seconds, &c.evaluate_seconds, &c.prefill_seconds}) *seconds_of *= then;
  }
  for (size_t i = 0; i < fresh.size(); ++i) {
    keep_units(fresh[i].units);
    const Json value = {{"config", parse_ordered_json(fresh[i].config.json(), fresh[i].config.where)},
                        {"where", fresh[i].config.where},
                        {"layers", fresh[i].config.layers},
                        {"units", fresh[i].units},
                        {"length", fresh[i].length},
                        {"batch", fresh[i].batch},
                        {"costs", parse_ordered_json(write_fields(costs[i]), "the costs")}};
    store_.keep_candidate(fresh[i].name, json_text(value));
    entries_.push_back({std::move(fresh[i]), costs[i]});
  }
  // The page names every command that brought candidates, so that whoever repeats them gets the whole comparison.
  const auto earlier = store_.fact("commands");
  store_.keep_fact("commands", (earlier ? *earlier + "\n" : "") + run_.command);
}

void Comparison::compare_baselines() {
  if (store_.fact("baselines")) return;
  note("n-gram models, PPMd, xz and context mixing");
  const double seconds = baseline_share * settings_.budget;
  const Baselines b =
      baselines(baseline_text(), parts_.held_out.part(0, amounts_.judged_bytes),
                {.seconds = seconds, .stop_after = 2 * seconds, .stop = run_.stop, .clock = {}, .primed = &primed_});
  go_on();
  store_.keep_fact("baselines", baselines_json(b));
}

// What baselines learn from: all that is not held out.
ByteSource Comparison::baseline_text() const { return source_.part(0, source_.bytes() - parts_.held_out.bytes()); }

// The counts that have learned from the training text; null if there was no time for them.
const Counts* Comparison::primed() {
  const Json rows = baselines_of(store_).at("rows");
  if (std::ranges::none_of(rows, [](const Json& row) { return row.at(key::name) == counts_row; })) return nullptr;
  if (!primed_) note("counting contexts of the training text");
  if (!primed_)
    primed_ = primed_counts(baseline_text(), parts_.held_out.part(0, amounts_.judged_bytes),
                            baseline_share * settings_.budget, [this] { go_on(); });
  return &*primed_;
}

std::optional<SavedComparison> saved_comparison(const std::string& out) {
  if (!fs::exists(store_path(out))) return {};
  OutputFolder folder(out, comparison_files());
  const Store store(own_store(folder));
  const auto kept = store.fact("settings");
  if (!kept) return {};
  SavedComparison saved;
  read_fields({*kept, store_path(out)}, saved.settings);
  if (const auto cut = store.fact("cut_bytes")) {
    const auto read = std::from_chars(cut->data(), cut->data() + cut->size(), saved.cut_bytes);
    require(read.ec == std::errc() && read.ptr == cut->data() + cut->size() && saved.cut_bytes > 0, ErrorCode::io,
            store_path(out), " is damaged: cut_bytes is '", printable(*cut), "'; choose another folder with --out");
  }
  return saved;
}

namespace {
// The files that a comparison begins with, as far as they are not there yet.
std::vector<std::string> files_to_begin(const std::string& out) {
  std::vector<std::string> names = {store_name, journal_name, log_name};
  // With a store, its journal may be all that can repair it.
  if (fs::exists(fs::symlink_status(out + "/" + store_name))) return {};
  std::erase_if(names, [&](const std::string& name) { return fs::exists(fs::symlink_status(out + "/" + name)); });
  return names;
}

// Why the comparison failed is what the user has to hear, so an error here is ignored.
void remove_files(OutputFolder& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) try {
      folder.remove(name);
    } catch (const Error&) {
    }
}
}  // namespace

Json compare(const ByteSource& source, const std::vector<Candidate>& candidates, const CompareSettings& settings,
             const Device& device, const CompareRun& run) {
  settings.check();
  OutputFolder folder(run.out, comparison_files());
  check_apart(source, run.out, comparison_files());
  const std::vector<std::string> fresh = files_to_begin(run.out);
  std::optional<Comparison> comparison;
  try {
    comparison.emplace(folder, source, settings, device, run);
    Json report = comparison->go(candidates);
    comparison.reset();
    folder.remove(journal_name);  // everything has been written, so the journal is empty
    return report;
  } catch (const nlohmann::json::exception& damaged) {
    fail(ErrorCode::io, store_path(run.out), " is damaged (", damaged.what(), "); choose another folder with --out");
  } catch (...) {
    // without a plan the files hold nothing, and the next call may be about something else
    const bool planned = comparison && comparison->planned();
    comparison.reset();
    if (!planned) remove_files(folder, fresh);
    throw;
  }
}

}  // namespace statera
