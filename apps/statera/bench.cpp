// statera bench: the roof of this machine, and how close the engine comes to it: operations, training, inference,
// streams and the start of a process.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <nlohmann/json.hpp>

#include "commit.hpp"
#include "common.hpp"
#include "core/machine.hpp"
#include "interrupt.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"
#include "io/json_fields.hpp"
#include "io/printable.hpp"
#include "lab/bench/inference.hpp"
#include "lab/bench/operations.hpp"
#include "lab/bench/roof.hpp"
#include "lab/bench/training.hpp"
#include "lab/compare/candidates.hpp"
#include "lab/timing.hpp"
#include "print_bench.hpp"
#include "statera/config.hpp"
#include "values.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
using Json = nlohmann::ordered_json;
using Names = Words;
using Numbers = std::vector<int64_t>;

std::string usual_model(const std::string& size = "small") { return size + "-" + usual_kinds().front(); }
Names usual_models() { return presets_of_one_mixer({"small", "base"}); }
const Numbers usual_lengths = {256, 1024, 4096, 16384}, usual_contexts = {256, 4096, 65536, 1048576},
              usual_batches = {1, 8, 64};
constexpr double usual_budget = 300;
constexpr int64_t most_positions = int64_t{1} << 24, most_context = int64_t{1} << 40, most_batch = 4096;

struct Part {  // chosen, and the models that it names, if any
  bool chosen = false;
  Names models;
};

struct Flags {
  bool roof = false, ops = false, checkpoint = false, json = false;
  Part train, infer, stream, start;
  Names config;
  std::vector<WeightFormat> weights;
  Names precisions = {"fp32"};
  Numbers lengths, batches, threads;
  int64_t bytes = 20000;
  std::optional<std::string> budget, out;
};

std::string footer() {
  return "A part may name its models; --config names them for all. If no part is chosen, all run, in at most five "
         "minutes.\n"
         "What does not fit into time or memory is left out and listed. Shares refer to a peak that is measured in the "
         "same "
         "run.\n\n"
         "Examples:\n"
         "  statera bench                                            everything, in five minutes\n"
         "  statera bench --roof --ops --threads 1,2                 the machine, and every operation at published "
         "shapes\n"
         "  statera bench --train " +
         usual_model("base") +
         " --length 1024 --batch 2\n"
         "  statera bench --train " +
         usual_model("base") +
         " --batch 8 --length 512 --precision fp32,bf16\n"
         "  statera bench --train " +
         usual_model() +
         " --length 1024,4096,16384,65536,131072 --checkpoint\n"
         "  statera bench --infer --config my-130m.json --batch 1 --length 256 --weights f32,int8\n"
         "  statera bench --start " +
         usual_model() +
         "                       what the first gradient step of a process costs\n"
         "  statera bench --stream " +
         usual_model() + " --bytes 1000000 --threads 1 --out stream.json";
}

Json json_of_row(const auto& row) { return parse_ordered_json(write_fields(row), "a result"); }

template <class Rows>
Json json_of(const Rows& rows) {
  Json all = Json::array();
  for (const auto& row : rows) all.push_back(json_of_row(row));
  return all;
}

Numbers sorted(Numbers numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

void check(const Flags& f) {
  const auto within = [](const Numbers& numbers, int64_t most, const std::string& flag) {
    for (int64_t n : numbers)
      if (n < 1 || n > most)
        throw UsageError(flag + " " + std::to_string(n) + " is not in 1 to " + std::to_string(most));
  };
  within(f.lengths, f.train.chosen || f.start.chosen ? most_positions : most_context, "--length");
  within(f.batches, most_batch, "--batch");
  within({f.bytes}, most_context, "--bytes");
  if (f.train.chosen || f.start.chosen)
    for (int64_t length : f.lengths)
      for (int64_t batch : f.batches)
        if (length * batch > most_positions)
          throw UsageError("--batch " + std::to_string(batch) + " x --length " + std::to_string(length) +
                           " is more than " + std::to_string(most_positions) + " positions in a training step");
  if (f.start.models.size() > 1) throw UsageError("--start takes one model: a process starts once");
  if (!f.weights.empty() && !f.infer.chosen) throw UsageError("--weights goes with --infer");
  if (f.precisions != Names{"fp32"} && !f.train.chosen) throw UsageError("--precision goes with --train");
  if (f.checkpoint && !f.train.chosen) throw UsageError("--checkpoint goes with --train");
}

// Reads the configs before the output is opened. So the output cannot be one of them, and an invalid one is noticed
// before the first measurement.
void read_configs(const Flags& f) {
  for (const Names* names : {&f.config, &f.train.models, &f.infer.models, &f.stream.models, &f.start.models})
    for (const std::string& model : *names) static_cast<void>(ModelConfig::load(model));
}

class Bench {
 public:
  explicit Bench(const Flags& flags) : f(flags) {
    terms_.note = [](const std::string& line) {
      if (Interrupt::asked()) throw Interrupted();
      std::fprintf(stderr, "%s\n", printable(line).c_str());
    };
    for (int64_t threads : f.threads.empty() ? Numbers{0} : sorted(f.threads))
      devices_.push_back(make_device(static_cast<int>(std::clamp<int64_t>(threads, -1, 1 << 20))));
    const Machine machine = this_machine();
    report_ = {
        {"statera", STATERA_VERSION}, {"commit", STATERA_COMMIT}, {"command", command_text()}, {"date", date_text()}};
    report_["machine"] = json_of_row(machine);
    report_["machine"]["instruction_set"] = instruction_set();
    report_["settings"] = {{"threads", Json::array()},
                           {"budget_seconds", f.budget ? parse_seconds(*f.budget, "--budget") : 0}};
    for (const Device& device : devices_) report_["settings"]["threads"].push_back(device.threads());
  }

  // Each part gets its share of the budget and what earlier parts left over.
  Json run() {
    if (f.start.chosen) start();  // first, since it is about a process that has done nothing yet
    if (f.roof) roof();
    const double budget = report_["settings"]["budget_seconds"], begin = clock_seconds() - process_age_seconds();
    struct Timed {
      bool chosen;
      double weight;
      void (Bench::*measure)();
    };
    const Timed parts[] = {{f.ops, 15, &Bench::operations},
                           {f.stream.chosen, 3, &Bench::streams},
                           // before inference, whose freed states would disturb the peak of memory
                           {f.train.chosen, 45, &Bench::training},
                           {f.infer.chosen, 30, &Bench::inference}};
    double all = 5, done = 0;  // the rest of the budget is for parts that take longer than planned
    for (const Timed& part : parts) all += part.chosen ? part.weight : 0;
    for (const Timed& part : parts) {
      if (!part.chosen) continue;
      done += part.weight;
      if (budget > 0) terms_.ends = begin + budget * done / all;
      (this->*part.measure)();
    }
    report_["left_out"] = json_of(terms_.left_out);
    return report_;
  }

 private:
  Names models(const Part& part, const Names& usual) const {
    return !part.models.empty() ? part.models : !f.config.empty() ? f.config : usual;
  }
  Numbers lengths(const Numbers& usual) const { return f.lengths.empty() ? usual : sorted(f.lengths); }

  void start() {
    const int64_t batch = f.batches.empty() ? 1 : f.batches.front(),
                  length = f.lengths.empty() ? 1024 : f.lengths.front();
    const StartCost cost = measure_start(models(f.start, {usual_model()}).front(), batch, length, devices_.front());
    report_["start"] = json_of_row(cost);
  }

  void roof() {
    report_["roof"] = Json::array();
    for (const Device& device : devices_) {
      terms_.note("roof: " + device.description());
      report_["roof"].push_back(json_of_row(RoofMeter(device).measure()));
    }
  }

  void operations() { report_["operations"] = json_of(measure_operations(devices_, terms_)); }

  void streams() {
    report_["settings"]["stream_bytes"] = f.bytes;
    report_["streams"] = Json::array();
    for (const std::string& model : models(f.stream, {usual_model()}))
      for (const Device& device : devices_)
        for (Json& row : json_of(measure_stream(model, f.bytes, device))) report_["streams"].push_back(std::move(row));
  }

  void inference() {
    const InferencePlan plan{models(f.infer, usual_models()), lengths(usual_contexts),
                             f.batches.empty() ? usual_batches : sorted(f.batches), devices_,
                             f.weights.empty() ? std::vector{WeightFormat::f32} : f.weights};
    report_["settings"]["inference"] = {
        {"models", plan.models}, {"contexts", plan.contexts}, {"batches", plan.batches}, {"weights", Json::array()}};
    for (WeightFormat weights : plan.weights) report_["settings"]["inference"]["weights"].push_back(name_of(weights));
    report_["inference"] = json_of(measure_inference(plan, terms_));
  }

  void training() {
    std::vector<Device> devices;
    for (const Precision precision : precisions)
      if (std::ranges::count(f.precisions, name_of(precision)) > 0)
        for (const Device& device : devices_) devices.push_back(device.with(precision));
    const TrainingPlan plan{models(f.train, usual_models()), lengths(usual_lengths), sorted(f.batches), devices,
                            f.checkpoint};
    report_["settings"]["training"] = {
        {"models", plan.models}, {"lengths", plan.lengths}, {"batches", plan.batches}, {"checkpoint", plan.checkpoint}};
    report_["training"] = json_of(measure_training(plan, terms_));
  }

  const Flags& f;
  std::vector<Device> devices_;
  BenchTerms terms_;
  Json report_;
};

void run(Flags f) {
  check(f);
  if (!f.roof && !f.ops && !f.train.chosen && !f.infer.chosen && !f.stream.chosen && !f.start.chosen) {
    f.roof = f.ops = f.train.chosen = f.infer.chosen = f.stream.chosen = f.start.chosen = true;
    if (!f.budget) f.budget = std::to_string(static_cast<int>(usual_budget)) + "s";
  }
  std::optional<Interrupt> interrupt;
  std::optional<AtomicFile> out;
  if (f.out) {  // a path that cannot be written is an error now, not after five minutes
    read_configs(f);
    check_named_file("--out", *f.out);
    // Ctrl-C ends before the next measurement and leaves no partial file; a second one ends at once
    interrupt.emplace();
    out.emplace(*f.out, stop_if_asked);
  }
  const Json report = Bench(f).run();
  if (Interrupt::asked()) throw Interrupted();
  const std::string text = json_text(report, 2) + "\n";
  if (out) {
    out->write(text);
    out->commit();
  }
  if (f.json)
    std::printf("%s", text.c_str());
  else
    print_bench(report);
}

void add_part(CLI::App& verb, const char* name, Part& part, const char* help) {
  const auto take = [&part](const Words& names) {
    part.chosen = true;
    part.models = names;
    std::erase(part.models, "");  // from the flag without a value
  };
  add_list(verb, name, take, help)
      ->expected(0, 1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("MODEL,MODEL");
}
}  // namespace

void add_bench(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  Flags& f = *flags;
  CLI::App& verb = *app.add_subcommand("bench", "measure this machine and how close the engine comes to its limits");
  verb.add_flag("--roof", f.roof, "peak of fp32 and bf16 arithmetic, bandwidth of memory and caches");
  verb.add_flag("--ops", f.ops, "every operation at published shapes: forward, backward, step");
  add_part(verb, "--train", f.train, "training steps, optimizer included: positions per second and memory, by length");
  add_part(verb, "--infer", f.infer, "prefill and step, by batch and context, and the size of the state");
  add_part(verb, "--stream", f.stream, "step time and memory of one stream at growing positions");
  add_part(verb, "--start", f.start,
           "time from the start of the process to the first gradient step, and of the tenth step");
  add_list(verb, "--config", f.config, "presets or JSON configs, for the parts that name none");
  add_list(verb, "--length", f.lengths, "positions per sequence in training; context lengths in inference");
  add_list(verb, "--batch", f.batches, "sequences per batch");
  add_list(verb, "--threads", f.threads, "number of threads, one or several values; 0: all cores");
  const auto read_weights = [&f](const Names& names) {
    for (const std::string& name : names) f.weights.push_back(parse_weights(name));
  };
  add_list(verb, "--weights", read_weights, "inference: " + weights_text() + "; one or several values (default: f32)");
  const auto read_precisions = [&f](const Names& names) {
    f.precisions = names;
    for (std::string& name : f.precisions)
      if (const std::string wrong = CLI::IsMember(precision_names())(name); !wrong.empty())
        throw UsageError("--precision: " + wrong);
  };
  add_list(verb, "--precision", read_precisions,
           "training: precision of matrix products, fp32 or bf16; several are measured in turn (default: fp32)");
  verb.add_flag("--checkpoint", f.checkpoint, "training: activation checkpointing");
  verb.add_option("--bytes", f.bytes, "length of the stream")->capture_default_str();
  verb.add_option("--budget", f.budget,
                  "total time, as 90s or 10m (default: 5m if no part is chosen, otherwise as long as it takes)");
  verb.add_option("--out", f.out, "also write the JSON object to this file");
  verb.add_flag("--json", f.json, "print one JSON object");
  verb.footer(footer());
  verb.callback([flags] { run(*flags); });
}

}  // namespace statera::cli
