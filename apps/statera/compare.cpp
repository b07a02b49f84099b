// statera compare: trains candidates on equal terms, measures them and recommends one.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <nlohmann/json.hpp>

#include "commit.hpp"
#include "common.hpp"
#include "compare_progress.hpp"
#include "interrupt.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "lab/compare/candidates.hpp"
#include "lab/compare/compare.hpp"
#include "lab/compare/folder.hpp"
#include "lab/report/keys.hpp"
#include "lab/report/page.hpp"
#include "lab/training_data.hpp"
#include "lab/units.hpp"
#include "print_report.hpp"
#include "values.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {

struct Flags {
  std::vector<std::string> files;
  std::string out;
  std::vector<std::string> candidates = usual_kinds(), units = {"bytes"};
  std::optional<std::string> budget, match, size, precision;
  std::optional<int64_t> seeds, batch, held_out_bytes, learning_rates;
  std::optional<std::string> lengths;
  std::optional<float> weight_decay, dropout;
  std::optional<double> search_share, noise_share;
  int threads = 0;
  bool json = false;
};

std::string examples() {
  return "Examples:\n"
         "  statera compare book.txt                                       " +
         joined(usual_kinds()) +
         ", in five minutes\n"
         "  statera compare genome.fa.xz --budget 1h --size small --candidates " +
         joined(preset_kinds("small"), ",") +
         "\n"
         "  statera compare genome.fa.xz --size small --candidates " +
         preset_kinds("small").back() +
         "  adds one to a comparison\n"
         "  statera compare logs/ --match flops --seeds 3 --out out/logs-compare\n"
         "  statera compare book.txt --length 512,2048,8192 --budget 1h     which kind wins at which length\n"
         "  statera compare book.txt --units bytes,bpe-1024,bpe-8192        does it need tokens\n\n"
         "The folder holds report.html (open it in a browser), report.json, the trained models in models/, and every "
         "trial "
         "in compare.sqlite.\n"
         "Ctrl-C writes a report of what is done and exits with status 130; the same command then continues.";
}

double budget_from(const Flags& f, const CompareSettings& before) {
  return f.budget ? parse_seconds(*f.budget, "--budget") : before.budget;
}

// Flags override the settings in the folder; the size of the data decides the rest.
CompareSettings settings_from(const Flags& f, const std::optional<SavedComparison>& saved, int64_t bytes) {
  const auto set = [](auto& to, const auto& flag) {
    if (flag) to = *flag;
  };
  CompareSettings s = saved ? saved->settings : CompareSettings();
  s.budget = budget_from(f, s);
  if (!saved) s.size = usual_size(bytes, s.budget / static_cast<double>(f.candidates.size()));
  set(s.size, f.size);
  if (!saved) {
    const double seconds = s.budget / static_cast<double>(f.candidates.size());  // per candidate
    s.lengths = f.lengths ? *f.lengths : std::to_string(usual_length(bytes, seconds));
    s.batch = usual_batch(s.size, s.length_list().front());
  }
  set(s.match, f.match);
  set(s.seeds, f.seeds);
  set(s.lengths, f.lengths);
  set(s.batch, f.batch);
  set(s.precision, f.precision);
  set(s.weight_decay, f.weight_decay);
  set(s.dropout, f.dropout);
  set(s.held_out_bytes, f.held_out_bytes);
  set(s.learning_rates, f.learning_rates);
  set(s.search_share, f.search_share);
  set(s.noise_share, f.noise_share);
  return s;
}

// The flags that give a call with another budget the same settings, where they would change with it.
std::string kept_flags(Flags f, const CompareSettings& settings, int64_t bytes, double budget) {
  f.budget = std::to_string(budget) + "s";
  std::string flags;
  if (settings_from(f, {}, bytes).size != settings.size) flags += " --size " + *(f.size = settings.size);
  if (settings_from(f, {}, bytes).lengths != settings.lengths) flags += " --length " + *(f.lengths = settings.lengths);
  if (settings_from(f, {}, bytes).batch != settings.batch) flags += " --batch " + std::to_string(settings.batch);
  return flags;
}

void run(const Flags& f) {
  check_named_folder("--out", f.out);
  const std::string out = f.out.empty() ? "out/" + stem(f.files.front()) + "-compare" : f.out;
  OutputFolder::check(out, comparison_files());
  const std::optional<SavedComparison> saved = saved_comparison(out);
  const int64_t cut_bytes = saved ? saved->cut_bytes : 0;
  const ByteSource source(std::span<const std::string>(f.files),
                          reading_within(budget_from(f, saved ? saved->settings : CompareSettings()), cut_bytes));
  const CompareSettings settings = settings_from(f, saved, source.bytes());
  const std::vector<Candidate> candidates = in_units(find_candidates(f.candidates, settings.size), f.units);

  nlohmann::ordered_json report;
  {
    CompareProgress progress;
    progress.note("comparing " + std::to_string(candidates.size()) +
                  (candidates.size() == 1 ? " candidate on " : " candidates on ") +
                  bytes_text(static_cast<double>(source.bytes())) + " in about " + seconds_text(settings.budget) +
                  "; Ctrl-C keeps what is done");
    for (const std::string& line : left_out_lines(source, settings.budget, cut_bytes > 0)) progress.note(line);
    for (const std::string& spec : f.units)
      if (const std::string remark = units_remark(spec); !remark.empty()) progress.note(remark);
    const Interrupt interrupt;
    CompareRun how{.out = out,
                   .version = STATERA_VERSION,
                   .commit = STATERA_COMMIT,
                   .command = command_text(),
                   .spent = seconds_since_start(),
                   .stop = Interrupt::asked,
                   .note = {},
                   .status = {}};
    how.kept_flags = [&](double budget) { return kept_flags(f, settings, source.bytes(), budget); };
    how.warn = [&](const std::string& line) { progress.note(line); };
    how.status = [&](const CompareStatus& status) { progress.show(status); };
    report = compare(source, candidates, settings, make_device(f.threads), how);
    progress.finish();
  }
  write_page(json_text(report), out);
  const bool complete = report.at(key::complete).get<bool>();
  const bool judged = std::ranges::any_of(report.at(key::candidates), [](const auto& candidate) {
    const auto bits = candidate.find(key::bits_per_byte);
    return bits != candidate.end() && bits->is_number();
  });
  if (f.json)
    std::printf("%s\n", json_text(report).c_str());
  else if (complete || judged) {
    print_report(report);
    std::printf("the page: %s/report.html   the models: %s/models/\n", printable(out).c_str(), printable(out).c_str());
  }
  if (complete) return;
  std::fprintf(stderr, "stopped; run the same command again to continue\n");
  throw Interrupted();
}

void add_flags(CLI::App& verb, Flags& f) {
  verb.add_option("FILE", f.files, "files or folders; - is the standard input; gzip, xz and zstd are unpacked")
      ->required();
  add_list(verb, "--candidates", f.candidates,
           "what to compare: kinds of presets (" + usual_kinds().front() + "), presets (small-" +
               usual_kinds().front() + ") or JSON configs")
      ->default_str(joined(usual_kinds(), ","));
  add_list(verb, "--units", f.units,
           "what the candidates read; each candidate is trained on each: bytes, bpe-1024 (a tokenizer of so many "
           "tokens, trained on the "
           "training text), or a tokenizer.json")
      ->default_str("bytes");
  verb.add_option("--size", f.size,
                  "size of the presets: tiny, small or base (default: by the size of the data and the budget)");
  verb.add_option("--budget", f.budget, "total time, as 90s, 10m or 1h30m; reading gets at most half (default: 5m)");
  verb.add_option(
          "--match", f.match,
          "what every candidate gets the same amount of: training time, training FLOPs, or steps with equal numbers of "
          "parameters (default: time)")
      ->check(CLI::IsMember({"time", "flops", "params"}));
  verb.add_option("--seeds", f.seeds,
                  "trainings per candidate, with different seeds; a later call may ask for more (default: 1)");
  verb.add_option("--out", f.out, "folder for the report and the models (default: out/NAME-compare)");
  verb.add_option("--batch", f.batch, "sequences per batch, at the shortest length (default: 2, 4 or 8, by the size)");
  verb.add_option("--length", f.lengths,
                  "bytes per sequence; with several, as in 512,2048,8192, each candidate is trained at each (default: "
                  "512 to 2048, by the budget)");
  verb.add_option(
          "--precision", f.precision,
          "precision of matrix products in training: fp32; bf16, faster on CPUs that support it (default: fp32)")
      ->check(CLI::IsMember(precision_names()));
  verb.add_option("--weight-decay", f.weight_decay, "weight decay of matrices (default: 0.1)");
  verb.add_option("--dropout", f.dropout,
                  "dropout probability of the embedding and of the output of each mixer and MLP (default: 0)");
  verb.add_option("--held-out-bytes", f.held_out_bytes,
                  "number of bytes to judge on, from the end of the data (default: a tenth)");
  verb.add_option("--learning-rates", f.learning_rates, "learning rates to try per candidate (default: 3)");
  verb.add_option("--search-share", f.search_share,
                  "share of the budget for the search for learning rates (default: 0.15)");
  verb.add_option("--noise-share", f.noise_share,
                  "share of the budget for the test with filler bytes in the stream; 0: no such test (default: 0.08)");
  verb.add_option("--threads", f.threads, "number of threads (default: all cores)");
  verb.add_flag("--json", f.json, "print the report as one JSON object");
}

}  // namespace

void add_compare(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App& verb =
      *app.add_subcommand("compare", "find the model that fits your data and budget: train, measure, recommend");
  verb.footer(examples());
  add_flags(verb, *flags);
  verb.callback([flags] { run(*flags); });
}

}  // namespace statera::cli
