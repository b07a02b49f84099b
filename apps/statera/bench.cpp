// statera bench: the roof of this machine, training steps as a share of it, streams at constant cost, operations.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "core/random.hpp"
#include "core/roof.hpp"
#include "core/thread_pool.hpp"
#include "models/language_model.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"
#include "ops/op_case.hpp"
#include "statera/error.hpp"
#include "statera/optimizer.hpp"
#include "statera/session.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
using Json = nlohmann::ordered_json;

struct Flags {
  std::vector<std::string> train, stream;
  bool roof = false, ops = false, json = false;
  int64_t batch = 8, length = 512, bytes = 20000;
  int threads = 0;
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

std::string line_of(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.rfind(key, 0) == 0) return line.substr(std::min(line.size(), line.find_first_not_of(" \t:", key.size())));
  return "unknown";
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * 4096;
}

// FLOP a second of independent fused multiply-adds on all threads of the device; the best of a few.
double fma_peak(const Device& device) {
  double best = 0;
  for (int trial = 0; trial < 5; ++trial) {
    std::vector<double> done(static_cast<size_t>(device.threads()));
    const double begin = now();
    device.pool().run(device.threads(), [&](int64_t task, int) { done[static_cast<size_t>(task)] = run_fma_chains(3'000'000); });
    double flops = 0;
    for (double d : done) flops += d;
    best = std::max(best, flops / (now() - begin));
  }
  return best;
}

Json bench_roof(const Device& device) {
  const double peak = fma_peak(device);
  constexpr int64_t n = int64_t{1} << 25;  // 128 MiB: past the caches
  const Tensor memory(DType::f32, {n});
  double best = 0;
  std::vector<float> sums(16);
  for (int trial = 0; trial < 5; ++trial) {
    const double begin = now();
    device.pool().run(16, [&](int64_t task, int) { sums[static_cast<size_t>(task)] = sum_of(memory.as<float>() + task * (n / 16), n / 16); });
    best = std::max(best, 4.0 * n / (now() - begin));
  }
  return {{"threads", device.threads()}, {"fp32_fma_gflops", peak / 1e9}, {"memory_read_gb_per_s", best / 1e9}};
}

// One training step, optimizer included, on random bytes. Counts minimal FLOPs.
class TrainingStep {
 public:
  TrainingStep(const std::string& preset, const Flags& flags, int threads)
      : model_(ModelConfig::load(preset), Device::cpu({.threads = threads})), optimizer_(model_.parameters(), {}, model_.device()), tape_(model_.device()) {
    model_.init(1);
    const Random random(1, "bench");
    tokens_.offsets.push_back(0);
    for (int64_t b = 0; b < flags.batch; ++b) {
      for (int64_t t = 0; t < flags.length; ++t) tokens_.ids.push_back(static_cast<int32_t>(random.bits(tokens_.ids.size()) % 256));
      tokens_.offsets.push_back(static_cast<int32_t>(tokens_.ids.size()));
      tokens_.start.push_back(0);
    }
    targets_.assign(tokens_.ids.rbegin(), tokens_.ids.rend());
    flops_ = model_.layers().cost(flags.length, flags.length).training_flops * static_cast<double>(tokens_.ids.size());
  }
  double seconds() {
    const double begin = now();
    tape_.backward(cross_entropy(tape_, model_.forward(tape_, tokens_), targets_));
    optimizer_.step();
    tape_.reset();
    return now() - begin;
  }
  double flops() const { return flops_; }
  double positions() const { return static_cast<double>(tokens_.ids.size()); }
  size_t peak_bytes() const { return tape_.peak_bytes(); }

 private:
  Model model_;
  AdamW optimizer_;
  Tape tape_;
  Tokens tokens_;
  std::vector<int32_t> targets_;
  double flops_ = 0;
};

// One thread and all threads in turn, with the peak measured between, so that a busy minute favours neither.
Json bench_train(const std::string& preset, const Flags& flags, const Device& device) {
  const int threads = device.threads();
  TrainingStep one(preset, flags, 1), all(preset, flags, threads);
  one.seconds();
  all.seconds();
  std::vector<double> ratio, share, speed;
  for (int trial = 0; trial < 5; ++trial) {
    const double peak = fma_peak(device), slow = one.seconds(), quick = all.seconds();
    ratio.push_back(slow / quick);
    share.push_back(all.flops() / quick / peak);
    speed.push_back(all.positions() / quick);
  }
  return {{"preset", preset}, {"batch", flags.batch}, {"length", flags.length}, {"threads", threads}, {"positions_per_s", median(speed)},
          {"share_of_fma_peak", median(share)}, {"speed_up_over_one_thread", median(ratio)}, {"tape_bytes", all.peak_bytes()}};
}

// A stream of steps: what one costs, what the state holds and what the process holds, at growing positions.
Json bench_stream(const std::string& preset, const Flags& flags, const Device& device) {
  Model model(ModelConfig::load(preset), device, {.training = false});
  model.init(1);
  Session session(model, {.rewind_bytes = 0});
  Json rows = Json::array();
  int64_t next = 100;
  constexpr size_t most = 1000;
  std::vector<double> recent;  // what the last `most` steps took: memory that does not grow with the stream
  recent.reserve(most);
  size_t taken = 0;
  while (session.position() < flags.bytes) {
    const double begin = now();
    session.step(static_cast<int32_t>(session.position() * 7 % 256));
    const double seconds = now() - begin;
    if (recent.size() < most) recent.push_back(seconds);
    else recent[taken % most] = seconds;
    ++taken;
    if (session.position() != next && session.position() != flags.bytes) continue;
    rows.push_back({{"position", session.position()}, {"step_us", median(recent) * 1e6}, {"state_bytes", session.state_bytes()},
                    {"resident_bytes", resident_bytes()}});
    recent.clear();
    taken = 0;
    next *= 10;
  }
  return {{"preset", preset}, {"steps", rows}};
}

double time_case(const OpCase& c, const Device& device, bool backward) {
  std::vector<Tensor> values;
  for (const OpInput& input : c.inputs) {
    const Random random(1, input.name);
    values.emplace_back(DType::f32, input.shape);
    for (int64_t i = 0; i < input.shape.elements(); ++i)
      values.back().as<float>()[i] = static_cast<float>(input.low + (input.high - input.low) * random.uniform(static_cast<uint64_t>(i)));
  }
  Tape tape(device);
  std::vector<double> seconds;
  for (int trial = 0; trial < 6; ++trial) {
    NamedVars vars;
    for (size_t i = 0; i < values.size(); ++i)
      vars[c.inputs[i].name] = backward && c.inputs[i].gradient ? tape.input(values[i]) : tape.constant(values[i]);
    const double begin = now();
    const NamedVars out = c.run(tape, vars);
    if (backward) {
      std::vector<Var> roots;
      std::vector<Tensor> seeds;
      for (const auto& [name, var] : out) {
        roots.push_back(var);
        seeds.emplace_back(DType::f32, tape.value(var).shape);
      }
      const std::vector<View> views(seeds.begin(), seeds.end());
      tape.backward(roots, views);
    }
    if (trial > 0) seconds.push_back(now() - begin);
    tape.reset();
  }
  return median(seconds);
}

Json bench_ops(const Device& device) {
  Json rows = Json::array();
  for (const OpCase& c : all_op_cases())
    if (c.benchmark) {
      const double forward = time_case(c, device, false), both = time_case(c, device, true);
      Json row = {{"op", c.op}, {"case", c.name}, {"forward_ms", forward * 1e3}, {"forward_backward_ms", both * 1e3}};
      if (c.flops > 0) row["forward_gflops"] = c.flops / forward / 1e9;
      rows.push_back(row);
    }
  return rows;
}

void print(const Json& report) {
  std::printf("%s, %s, load %s\n", report["machine"].get<std::string>().c_str(), report["device"].get<std::string>().c_str(),
              report["load"].get<std::string>().c_str());
  if (report.contains("roof"))
    std::printf("roof: fp32 FMA %.0f GFLOP/s, memory read %.1f GB/s\n", report["roof"]["fp32_fma_gflops"].get<double>(),
                report["roof"]["memory_read_gb_per_s"].get<double>());
  for (const Json& t : report.value("train", Json::array()))
    std::printf("train %-18s batch %lld x %lld: %8.0f positions/s, %4.1f %% of the FMA peak, %.2f x one thread, tape %s\n",
                t["preset"].get<std::string>().c_str(), static_cast<long long>(t["batch"].get<int64_t>()), static_cast<long long>(t["length"].get<int64_t>()),
                t["positions_per_s"].get<double>(), 100 * t["share_of_fma_peak"].get<double>(), t["speed_up_over_one_thread"].get<double>(),
                bytes_text(t["tape_bytes"].get<double>()).c_str());
  for (const Json& s : report.value("stream", Json::array()))
    for (const Json& row : s["steps"])
      std::printf("stream %-17s at byte %8lld: %7.1f us a step, state %8s, process %s\n", s["preset"].get<std::string>().c_str(),
                  static_cast<long long>(row["position"].get<int64_t>()), row["step_us"].get<double>(), bytes_text(row["state_bytes"].get<double>()).c_str(),
                  bytes_text(row["resident_bytes"].get<double>()).c_str());
  for (const Json& o : report.value("ops", Json::array()))
    std::printf("op %-16s %-14s forward %8.3f ms, with backward %8.3f ms%s\n", o["op"].get<std::string>().c_str(), o["case"].get<std::string>().c_str(),
                o["forward_ms"].get<double>(), o["forward_backward_ms"].get<double>(),
                o.contains("forward_gflops") ? (", " + count_text(1e9 * o["forward_gflops"].get<double>()) + "FLOP/s").c_str() : "");
}

void run(Flags flags) {
  if (flags.batch < 1 || flags.length < 1 || flags.bytes < 1) throw UsageError("--batch, --length and --bytes are at least 1");
  const Device device = make_device(flags.threads);
  const bool all = !flags.roof && !flags.ops && flags.train.empty() && flags.stream.empty();
  if (all) flags.train = {"small-attention", "small-mamba1", "small-mamba2"}, flags.stream = {"small-mamba2", "small-attention"};
  Json report = {{"machine", line_of("/proc/cpuinfo", "model name")}, {"device", device.description()}, {"load", line_of("/proc/loadavg", "").substr(0, 14)},
                 {"version", STATERA_VERSION}};
  if (all || flags.roof) report["roof"] = bench_roof(device);
  for (const std::string& preset : flags.train) report["train"].push_back(bench_train(preset, flags, device));
  for (const std::string& preset : flags.stream) report["stream"].push_back(bench_stream(preset, flags, device));
  if (all || flags.ops) report["ops"] = bench_ops(device);
  if (flags.json) std::printf("%s\n", report.dump(2).c_str());
  else print(report);
}
}  // namespace

void add_bench(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("bench", "what this machine can do, and how near the engine comes");
  verb->add_flag("--roof", flags->roof, "fp32 FMA peak and memory bandwidth");
  verb->add_option("--train", flags->train, "training steps of these presets, optimizer included");
  verb->add_option("--stream", flags->stream, "step time and memory of these presets at growing positions");
  verb->add_flag("--ops", flags->ops, "every operation at a published shape");
  verb->add_option("--batch", flags->batch, "sequences of a training step")->capture_default_str();
  verb->add_option("--length", flags->length, "positions of a sequence in training")->capture_default_str();
  verb->add_option("--bytes", flags->bytes, "how far a stream goes")->capture_default_str();
  verb->add_option("--threads", flags->threads, "0: all cores")->capture_default_str();
  verb->add_flag("--json", flags->json, "print one JSON object");
  verb->footer("Without a choice: all of it. Shares count minimal FLOPs against the peak measured in the same minute.\n"
               "Examples:\n  statera bench\n  statera bench --train small-mamba2 base-mamba2 --length 1024\n"
               "  statera bench --stream small-mamba2 --bytes 1000000 --threads 1");
  verb->callback([flags] { run(*flags); });
}

}  // namespace statera::cli
