// statera train: trains a model on files and saves it in a folder.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "core/check.hpp"
#include "core/machine.hpp"
#include "interrupt.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "lab/baselines.hpp"
#include "lab/compare/candidates.hpp"
#include "lab/training_data.hpp"
#include "lab/units.hpp"
#include "models/with_begin.hpp"
#include "progress.hpp"
#include "statera/data.hpp"
#include "statera/train.hpp"
#include "train/checkpoint.hpp"
#include "text/number.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {

struct Flags {
  std::vector<std::string> files;
  std::string config, init, out, schedule, precision;
  std::optional<std::string> budget, units;
  std::optional<int64_t> steps, seed, batch, length, accumulate, warmup, evaluate_every;
  std::optional<float> lr, weight_decay, dropout, clip;
  double val_fraction = 0.1, checkpoint_seconds = 0;
  int threads = 0;
  bool resume = false, overwrite = false, carry = false, checkpoint_activations = false, no_baselines = false,
       specials = false, json = false;
};

constexpr const char* examples =
    "Examples:\n"
    "  statera train book.txt                                  a small Mamba-2 in out/book, in about five minutes\n"
    "  statera train notes/ --config small-hybrid --budget 2h  every file of a folder\n"
    "  statera train book.txt --budget 2h --resume             resume after an interruption, bit for bit\n"
    "  statera train poems.txt --init out/book --out out/poems train a trained model further\n"
    "  statera train book.txt --units bpe-1024                 on tokens, with a tokenizer trained for it\n"
    "  xzcat dump.xz | statera train - --out out/dump --steps 5000\n\n"
    "The folder holds the best weights; last/ the last ones; checkpoint/ what --resume needs; metrics.jsonl one line "
    "per step.\n"
    "Ctrl-C saves and exits with status 130.";

// Chooses, by the size of the model, what no flag says. A sequence of tokens stands for about as many bytes as
// one of bytes, but has 64 tokens at least.
void choose_for(int64_t parameters, const Flags& f, double bytes_per_id, TrainOptions& options) {
  constexpr int64_t least_tokens = 64;
  UsualOptions usual = usual_options(parameters);
  if (bytes_per_id > 1)
    usual.length = std::max<int64_t>(least_tokens, std::llround(static_cast<double>(usual.length) / bytes_per_id));
  if (!f.lr) options.lr = usual.lr;
  if (!f.batch) options.batch = usual.batch;
  if (!f.length) options.length = usual.length;
}

// Flags override the options in the checkpoint.
TrainOptions options_from(const Flags& f, TrainOptions options, bool resumed) {
  const auto set = [](auto& to, const auto& flag) {
    if (flag) to = *flag;
  };
  if (f.budget) options.budget = parse_seconds(*f.budget, "--budget");
  if (f.steps) {
    if (*f.steps < 1) throw UsageError("--steps " + std::to_string(*f.steps) + " must be at least 1");
    options.steps = *f.steps;
  }
  constexpr double default_budget = 300;
  if (!resumed && !f.steps && !f.budget) options.budget = default_budget;
  if (!f.schedule.empty()) options.schedule = f.schedule;
  if (!f.precision.empty()) options.precision = f.precision;
  if (f.carry) options.carry = true;
  if (f.checkpoint_activations) options.checkpoint_activations = true;
  set(options.seed, f.seed);
  set(options.batch, f.batch);
  set(options.length, f.length);
  set(options.accumulate, f.accumulate);
  set(options.warmup, f.warmup);
  set(options.evaluate_every, f.evaluate_every);
  set(options.lr, f.lr);
  set(options.weight_decay, f.weight_decay);
  set(options.dropout, f.dropout);
  set(options.clip, f.clip);
  return options;
}

void print_row(const Baseline& row) {
  std::printf("  %-24s  ", row.name.c_str());
  if (row.bits_per_byte)
    std::printf("%6s", fixed(*row.bits_per_byte, 3).c_str());
  else
    std::printf(Interrupt::asked() ? "not finished: interrupted" : "not finished: the time was up");
  if (row.bits_per_byte && row.learns) std::printf("  learns as it reads");
  if (!row.learned.empty()) std::printf("%s%s", row.learns ? ", " : "  ", row.learned.c_str());
  std::printf("\n");
}

// What the figure of the model is about: which weights, on how much of the held-out data, and why the figures of the
// progress were others.
std::string model_remark(const TrainResult& r, int64_t held_out_bytes) {
  std::string remark;
  const auto add = [&](const std::string& what) { remark += (remark.empty() ? "  " : "; ") + what; };
  if (r.best_step > 0 && r.best_step < r.step)
    add("step " + std::to_string(r.best_step) + " of " + std::to_string(r.step) + ", its best");
  add(r.held_out_bytes < held_out_bytes
          ? "on " + bytes_text(static_cast<double>(r.held_out_bytes)) + " spread over them"
          : "on all of them");
  if (r.options.evaluate_bytes > 0 && r.options.evaluate_bytes < r.held_out_bytes)
    add("while it trained, on about " + bytes_text(static_cast<double>(r.options.evaluate_bytes)));
  return remark;
}

void print_table(const std::string& out, const TrainResult& result, int64_t held_out_bytes, const Baselines* b) {
  std::printf("held-out bits per byte, on %s that were not trained on\n",
              bytes_text(static_cast<double>(held_out_bytes)).c_str());
  std::printf("  %-24s  %6s%s\n", "this model", fixed(result.held_out, 3).c_str(),
              model_remark(result, held_out_bytes).c_str());
  if (b) {
    for (const Baseline& row : b->rows) print_row(row);
    if (!b->note.empty()) std::printf("  %s\n", b->note.c_str());
  }
  std::printf("the model is in %s; try: statera generate %s\n", printable(out).c_str(), printable(out).c_str());
}

void print_json(const std::string& out, const Model& model, const TrainResult& r, int64_t held_out_bytes,
                const Baselines* b) {
  nlohmann::ordered_json json = {{"model", out},
                                 {"finished", r.finished},
                                 {"parameters", model.parameter_count()},
                                 {"precision", r.options.precision},
                                 {"steps", r.options.steps},
                                 {"step", r.step},
                                 {"best_step", r.best_step},
                                 {"loss", r.loss},
                                 {"seconds", r.seconds}};
  if (r.finished) {
    json["held_out_bits_per_byte"] = r.held_out;
    json["held_out_positions"] = r.held_out_positions;
    json["held_out_bytes"] = held_out_bytes;
  }
  if (b) {
    const auto beside = parse_ordered_json(baselines_json(*b), "the baselines");
    json["baselines"] = beside.at("rows");
    if (beside.at("note") != "") json["note"] = beside.at("note");
  }
  std::printf("%s\n", json_text(json).c_str());
}

// What the model will read: as the checkpoint says, or as the flag does, with a tokenizer that is trained on `text`.
std::shared_ptr<const Units> choose_units(const Flags& f, const std::optional<SavedRun>& saved,
                                          const ByteSource& text) {
  const UnitsOptions how{
      .threads = f.threads > 0 ? f.threads : usable_cores(), .specials = f.specials, .often = stop_if_asked};
  if (!saved) return make_units(f.units.value_or(byte_units()->name()), text, how);
  require(!f.units || make_units(*f.units, text, how)->file() == saved->tokenizer, ErrorCode::config,
          "the checkpoint is "
          "of a model with other units than ",
          *f.units, "; leave --units out to resume it");
  return units_from(saved->tokenizer, "tokenizer.json", f.specials);
}

// A config over bytes becomes one over the units.
ModelConfig in_units(ModelConfig config, const Units& units) {
  require(config.begin && (config.vocab_size == begin_id || config.vocab_size == units.size()), ErrorCode::config,
          "the config has vocab_size ", config.vocab_size, config.begin ? "" : " and no begin",
          "; statera train needs vocab_size 256 with \"begin\": true, and sets vocab_size itself where --units are "
          "tokens");
  config.vocab_size = units.size();
  config.context = 0;
  return config;
}

// `notes` gets what a user should know about the model.
Model make_model(const Flags& f, const TrainOptions& options, const std::optional<SavedRun>& saved,
                 const ByteSource& text, int64_t bytes, std::vector<std::string>& notes) {
  const Device device = make_device(f.threads);
  if (!f.init.empty() && !saved) {
    Model model = load_model(f.init, device, {.training = true}, f.specials);
    if (!model.config().begin) {
      model = with_begin(model, static_cast<uint64_t>(options.seed));
      notes.push_back(f.init + " has no id for the beginning of a document; the new model has one, which it learns");
    }
    static_cast<void>(in_units(model.config(), *model.units()));
    return model;
  }
  const std::shared_ptr<const Units> units = choose_units(f, saved, text);
  if (f.units && !saved)
    if (std::string remark = units_remark(*f.units); !remark.empty()) notes.push_back(std::move(remark));
  if (f.specials && units == byte_units()) throw UsageError("--special-tokens goes with --units of tokens");
  const ModelConfig config = !f.config.empty() ? ModelConfig::load(f.config)
                             : saved
                                 ? ModelConfig::parse(saved->config, "the checkpoint")
                                 : ModelConfig::load(usual_size(bytes, options.budget) + "-" + usual_kinds().front());
  Model model(in_units(config, *units), device);
  model.init(static_cast<uint64_t>(options.seed));
  model.set_units(units);
  return model;
}

// The time for baselines: a share of the budget, or a minute if the number of steps is given.
double most_baselines_seconds(const TrainOptions& options) {
  return options.budget > 0 ? baseline_share * options.budget : 60;
}

double baselines_seconds(const Flags& f, const TrainOptions& options, const ByteSource& train,
                         const ByteSource& held_out) {
  return f.no_baselines ? 0 : baseline_seconds(train.bytes(), held_out.bytes(), most_baselines_seconds(options));
}

// With a budget: what is left of it, and at least what was promised.
BaselineOptions baseline_options(const TrainOptions& options, const TrainRun& how, double promised) {
  BaselineOptions o{.seconds = most_baselines_seconds(options), .stop = Interrupt::asked};
  if (how.elsewhere > 0) o.stop_after = std::max(promised, options.budget - seconds_since_start());
  return o;
}

void run(const Flags& f) {
  check_named_folder("--out", f.out);
  const std::string out = f.out.empty() ? "out/" + stem(f.files.front()) : f.out;
  TrainRun how{.out = out,
               .resume = f.resume,
               .overwrite = f.overwrite,
               .checkpoint_seconds = f.checkpoint_seconds,
               .stop = Interrupt::asked,
               .abandon = Interrupt::asked};
  const Interrupt interrupt;
  // held to the end: what is read here comes from this folder, and results go into it
  OutputFolder folder = claim_folder(how);
  const std::optional<SavedRun> saved = f.resume ? saved_run(out) : std::nullopt;
  TrainOptions options = options_from(f, saved ? saved->options : TrainOptions(), saved.has_value());

  const bool timed = options.budget > 0 && options.steps == 0;
  const ByteSource source(std::span<const std::string>(f.files),
                          reading_within(timed ? options.budget : 0, saved ? saved->cut_bytes : 0));
  check_apart(source, out, run_files());
  const auto [for_training, held_out] = source.split(f.val_fraction);
  std::vector<std::string> notes;
  Model model = make_model(f, options, saved, for_training, source.bytes(), notes);
  const IdSource ids(for_training, model.units(), stop_if_asked);
  if (!saved) choose_for(model.parameter_count(), f, ids.bytes_per_id(), options);
  BatchTraining streams(ids, IdSource(held_out, model.units(), stop_if_asked), options);

  Progress progress;
  progress.note(std::to_string(model.parameter_count()) + " parameters (" + model.config().layers + "), " +
                bytes_text(static_cast<double>(for_training.bytes())) + " to train on, " +
                bytes_text(static_cast<double>(held_out.bytes())) + " held out, " + model.device().description());
  if (!model.reads_bytes())
    progress.note("tokens: " + std::to_string(ids.units().size()) + " different ones, of " +
                  fixed(ids.bytes_per_id(), 2) + " bytes on average");
  for (const std::string& line : notes) progress.note(line);
  for (const std::string& line : left_out_lines(source, options.budget, saved && saved->cut_bytes > 0))
    progress.note(line);
  const double promised = baselines_seconds(f, options, for_training, held_out);
  if (timed) {
    how.elsewhere = seconds_since_start() + promised;
    if (source.cut().empty() && seconds_since_start() > options.budget / 2)
      progress.note("reading the data took " + seconds_text(seconds_since_start()) + " of the budget of " +
                    seconds_text(options.budget));
  }
  how.progress = [&](const TrainProgress& p) { progress.show(p); };
  how.note = [&](const std::string& line) { progress.note(line); };
  TrainingData data = streams.data();
  if (!source.cut().empty()) data.cut_bytes = source.bytes();
  const TrainResult result = train(model, data, options, how, folder);
  progress.finish();
  std::optional<Baselines> beside;
  if (result.finished && !f.no_baselines) {
    progress.note("trained and saved; now n-gram models, PPMd, xz and context mixing on the same data" +
                  (promised >= 1 ? ", about " + seconds_text(promised) : "") + " (Ctrl-C leaves them out)");
    beside = baselines(for_training, held_out, baseline_options(options, how, promised));
  }
  if (f.json)
    print_json(out, model, result, held_out.bytes(), beside ? &*beside : nullptr);
  else if (result.finished)
    print_table(out, result, held_out.bytes(), beside ? &*beside : nullptr);
  if (result.finished) {
    if (Interrupt::asked()) throw Interrupted();
    return;
  }
  if (result.step == 0)
    progress.note("stopped before the first step, with nothing saved; the same command starts from the beginning");
  else
    progress.note("stopped and saved at step " + std::to_string(result.step) + " of " +
                  std::to_string(result.options.steps) + "; run it again with --resume to continue");
  throw Interrupted();
}

void add_flags(CLI::App& verb, Flags& f) {
  verb.add_option("FILE", f.files,
                  "files or folders to train on; - is the standard input; gzip, xz and zstd are unpacked")
      ->required();
  auto* config = verb.add_option("--config", f.config,
                                 "a preset's name or a JSON file (default: by the size of the data and the budget)");
  auto* units = verb.add_option("--units", f.units,
                                "what the model reads: bytes, bpe-1024 (a tokenizer of so many tokens, trained on the "
                                "training text), or a tokenizer.json")
                    ->default_str(byte_units()->name());
  add_specials(verb, f.specials);
  verb.add_option("--init", f.init, "start from the weights of a trained model, with its units")
      ->excludes(config)
      ->excludes(units);
  verb.add_option("--out", f.out, "folder for the model (default: out/NAME)");
  auto* budget = verb.add_option("--budget", f.budget,
                                 "total time, as 90s, 10m or 1h30m; reading gets at most half (default: 5m)");
  verb.add_option("--steps", f.steps, "number of optimizer steps, instead of a budget")->excludes(budget);
  auto* resume =
      verb.add_flag("--resume", f.resume, "continue from the checkpoint; without one, start from the beginning");
  verb.add_flag("--overwrite", f.overwrite, "replace the model in the folder")->excludes(resume);
  verb.add_option("--seed", f.seed, "random seed of weights, batches and dropout (default: 0)");
  verb.add_option("--threads", f.threads, "number of threads; the result does not depend on it (default: all cores)");
  verb.add_option("--lr", f.lr, "peak learning rate (default: by the size of the model)");
  verb.add_option("--batch", f.batch, "sequences per batch (default: 4 or 8, by the size of the model)");
  verb.add_option("--length", f.length,
                  "bytes or tokens per sequence (default: 256 or 512 bytes, or tokens for as many)");
  verb.add_option("--accumulate", f.accumulate, "batches per optimizer step (default: 1)");
  verb.add_option("--schedule", f.schedule,
                  "schedule of the learning rate: cosine, or wsd (warm-up, stable, decay) (default: cosine)")
      ->check(CLI::IsMember({"cosine", "wsd"}));
  verb.add_option("--warmup", f.warmup, "warm-up steps (default: 5 % of the steps, at most 200)");
  verb.add_option("--weight-decay", f.weight_decay, "weight decay of matrices (default: 0.1)");
  verb.add_option("--dropout", f.dropout,
                  "dropout probability of the embedding and of the output of each mixer and MLP (default: 0)");
  verb.add_option("--clip", f.clip, "clip the gradient to this norm; 0: no clipping (default: 1)");
  verb.add_flag("--carry", f.carry, "carry the state from each sequence to the one that follows it in the text");
  std::vector<std::string> precisions = precision_names();
  precisions.emplace_back("auto");
  verb.add_option("--precision", f.precision,
                  "precision of matrix products: fp32; bf16, faster on CPUs that support it; auto: whichever is faster "
                  "here (default: fp32)")
      ->check(CLI::IsMember(precisions));
  verb.add_flag("--checkpoint-activations", f.checkpoint_activations,
                "recompute activations in the backward pass: less memory, a third more time");
  verb.add_option("--val-fraction", f.val_fraction, "share of the data to hold out, from their end (default: 0.1)")
      ->check(CLI::Range(1e-6, 0.9));
  verb.add_option("--evaluate-every", f.evaluate_every, "steps between evaluations (default: a twentieth of the run)");
  verb.add_option("--checkpoint-every", f.checkpoint_seconds,
                  "seconds between checkpoints (default: 2, or 30 in runs of more than ten minutes, or 30 times as "
                  "long as saving takes)");
  verb.add_flag("--no-baselines", f.no_baselines, "do not measure n-grams, PPMd, xz and context mixing");
  verb.add_flag("--json", f.json, "print the result as one JSON object");
}

}  // namespace

void add_train(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App& verb = *app.add_subcommand(
      "train", "train a model on files; n-grams, PPMd, xz and context mixing are measured beside it");
  verb.footer(examples);
  add_flags(verb, *flags);
  verb.callback([flags] { run(*flags); });
}

}  // namespace statera::cli
