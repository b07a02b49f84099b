#include "lab/bench/operations.hpp"

#include <algorithm>
#include <deque>

#include "core/arena.hpp"
#include "statera/random.hpp"
#include "core/thread_pool.hpp"
#include "lab/bench/roof.hpp"
#include "ops/op_case.hpp"

namespace statera {

namespace {
constexpr int rounds = 5, calls = 4;  // the first call of a round has cold caches and is not counted

Tensor random_tensor(const OpInput& input) {
  const Random random(1, input.name);
  Tensor values(DType::f32, input.shape);
  for (int64_t i = 0; i < input.shape.elements(); ++i)
    values.as<float>()[i] =
        static_cast<float>(input.low + (input.high - input.low) * random.uniform(static_cast<uint64_t>(i)));
  return values;
}

struct PassTimes {
  double flops = 0, bytes = 0;
  std::vector<double> seconds;
};

// One case with its inputs. Times forward and backward, or a step.
class PreparedCase {
 public:
  explicit PreparedCase(OpCase from) : c(std::move(from)) {
    for (const OpInput& input : c.inputs) {
      values_.push_back(random_tensor(input));
      const double bytes = static_cast<double>(values_.back().view().bytes()) * input.used;
      read_ += bytes;
      if (input.gradient) gradients_ += bytes;
    }
  }

  void measure(Tape& tape, PassTimes& forward, PassTimes& backward) {
    for (int call = 0; call < calls; ++call) {
      const NamedVars in = inputs(tape);
      const double begin = clock_seconds();
      const NamedVars out = c.run(tape, in);
      const double middle = clock_seconds();
      std::vector<Var> roots;
      for (const auto& [name, var] : out) roots.push_back(var);
      const std::vector<View> douts = seeds(tape, out);
      const double written = written_, before = clock_seconds();
      tape.backward(roots, douts);
      const double end = clock_seconds();
      tape.reset();
      forward.flops = c.flops, forward.bytes = read_ + written;
      backward.flops = 2 * c.flops, backward.bytes = read_ + written + gradients_;
      if (call == 0) continue;
      forward.seconds.push_back(middle - begin);
      backward.seconds.push_back(end - before);
    }
  }

  void measure_step(Exec& exec, Tape& tape, PassTimes& step) {
    if (y_.empty()) prepare(exec, tape);
    double begin = clock_seconds(), end = begin;
    // A step takes microseconds or less, so many are timed together: as many as take a millisecond.
    int64_t batch = 0;
    for (; end < begin + 1e-3; ++batch) {
      call_(exec);
      end = clock_seconds();
    }
    for (int call = 1; call < calls; ++call) {
      begin = clock_seconds();
      for (int64_t i = 0; i < batch; ++i) call_(exec);
      step.seconds.push_back((clock_seconds() - begin) / static_cast<double>(batch));
    }
    step.flops = c.flops, step.bytes = read_ + written_;
  }

  const OpCase c;

 private:
  NamedVars inputs(Tape& tape) {
    NamedVars in;
    for (size_t i = 0; i < values_.size(); ++i)
      in[c.inputs[i].name] = c.inputs[i].gradient ? tape.input(values_[i]) : tape.constant(values_[i]);
    return in;
  }

  std::vector<View> seeds(const Tape& tape, const NamedVars& out) {
    if (seeds_.empty())
      for (const auto& [name, var] : out) {
        seeds_.push_back(random_tensor({name, tape.value(var).shape}));
        written_ += static_cast<double>(seeds_.back().view().bytes());
      }
    return {seeds_.begin(), seeds_.end()};
  }

  void prepare(Exec& exec, Tape& tape) {
    const NamedVars out = c.run(tape, inputs(tape));
    y_ = Tensor(DType::f32, tape.value(out.at("y")).shape);
    for (const auto& [name, var] : out) written_ += static_cast<double>(tape.value(var).bytes());
    tape.reset();
    NamedViews views;
    for (size_t i = 0; i < values_.size(); ++i) views[c.inputs[i].name] = values_[i];
    call_ = c.advance(exec, views, y_);
  }

  std::vector<Tensor> values_, seeds_;  // values_: in the order of c.inputs; seeds_: gradients of the outputs
  Tensor y_;
  std::function<void(Exec&)> call_;
  double read_ = 0, written_ = 0, gradients_ = 0;  // bytes
};

OperationCost cost_of(const OpCase& c, const char* pass, const PassTimes& times, RoofMeter& meter, double peak) {
  const Timing timing = timing_of(times.seconds);
  const double arithmetic = times.flops / peak, traffic = times.bytes / meter.read_bytes(times.bytes);
  OperationCost cost{
      .op = c.op, .name = c.name, .pass = pass, .threads = meter.device().threads(), .runs = timing.runs};
  cost.seconds = timing.seconds, cost.spread_seconds = timing.spread;
  cost.gflops = times.flops / timing.seconds / 1e9, cost.gb_per_s = times.bytes / timing.seconds / 1e9;
  cost.roof_share = std::max(arithmetic, traffic) / timing.seconds;
  cost.bound = arithmetic > traffic ? "arithmetic" : "traffic";
  return cost;
}

struct Bench {  // with one number of threads
  explicit Bench(const Device& device) : tape(device), meter(device) {}
  Tape tape;
  Arena scratch;
  RoofMeter meter;
  double peak = 0;
  std::vector<PassTimes> first, backward;  // one per case; first: forward or step
};
}  // namespace

std::vector<OperationCost> measure_operations(const std::vector<Device>& devices, BenchTerms& terms) {
  std::deque<PreparedCase> cases;
  for (OpCase& c : all_op_cases())
    if (c.benchmark) cases.emplace_back(std::move(c));
  std::deque<Bench> benches(devices.begin(), devices.end());
  for (Bench& bench : benches) bench.first.resize(cases.size()), bench.backward.resize(cases.size());

  const FlushDenormals flush(true);
  double longest = 0;  // the longest round so far
  // Time must be left for the roofs, which cost_of() measures after the rounds.
  for (int round = 0; round < rounds && (round == 0 || longest < terms.seconds_left() / 2); ++round) {
    const double begin = clock_seconds();
    for (Bench& bench : benches) bench.peak = std::max(bench.peak, bench.meter.fma_flops());
    for (size_t i = 0; i < cases.size(); ++i)
      for (Bench& bench : benches) {
        const Device& device = bench.meter.device();
        Exec exec{pool_of(device), bench.scratch, device.kernels()};
        if (cases[i].c.step)
          cases[i].measure_step(exec, bench.tape, bench.first[i]);
        else
          cases[i].measure(bench.tape, bench.first[i], bench.backward[i]);
      }
    longest = std::max(longest, clock_seconds() - begin);
    if (terms.note)
      terms.note("operations: round " + std::to_string(round + 1) + " of at most " + std::to_string(rounds));
  }

  std::vector<OperationCost> costs;
  for (size_t i = 0; i < cases.size(); ++i)
    for (Bench& bench : benches) {
      const OpCase& c = cases[i].c;
      costs.push_back(cost_of(c, c.step ? "step" : "forward", bench.first[i], bench.meter, bench.peak));
      if (!c.step) costs.push_back(cost_of(c, "backward", bench.backward[i], bench.meter, bench.peak));
    }
  return costs;
}

}  // namespace statera
