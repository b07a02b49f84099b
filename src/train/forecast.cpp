#include "train/forecast.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/check.hpp"
#include "core/machine.hpp"
#include "io/safetensors.hpp"
#include "text/number.hpp"
#include "train/checkpoint.hpp"
#include "train/held_out.hpp"

namespace statera {

namespace {
constexpr int64_t evaluations = 20, default_final_bytes = int64_t{1} << 20;

// The bytes that this many batches stand for, on average.
int64_t batch_bytes(const TrainingData& data, const TrainOptions& o, int64_t batches) {
  return static_cast<int64_t>(static_cast<double>(batches * o.batch * o.length) * data.bytes_per_position);
}

// A hundredth of the training text. An evaluation costs a third of training on the same bytes, so twenty of them cost
// less than a tenth of the run.
int64_t default_bytes(const TrainingData& data, const TrainOptions& o) {
  constexpr int64_t least = int64_t{4} << 10, most = int64_t{64} << 10;
  return o.steps > 0 ? std::clamp(batch_bytes(data, o, o.steps * o.accumulate) / 100, least, most) : most;
}

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void forward_backward(const Model& model, Tape& tape, const Tokens& tokens, std::span<const int32_t> targets,
                      const TrainOptions& options) {
  CarriedState last;
  training_pass(model, tape, tokens, targets,
                {.checkpoint = options.checkpoint_activations,
                 .last = options.carry ? &last : nullptr,
                 .dropout = options.dropout});
  tape.reset();
}

// Seconds for the first `windows` windows of a batch, each from a zero state.
double run_windows(const Model& model, Tape& tape, const TrainingData& data, const TrainOptions& options,
                   int64_t windows) {
  const Batch batch = data.batch(0);
  const auto rows = std::min<int64_t>(windows * options.length, static_cast<int64_t>(batch.targets.size()));
  Tokens part;
  part.ids.assign(batch.inputs.ids.begin(), batch.inputs.ids.begin() + rows);
  part.offsets = {0};
  for (int64_t row = 0; row < rows; row += options.length) {
    part.offsets.push_back(static_cast<int32_t>(std::min(row + options.length, rows)));
    part.start.push_back(0);
  }
  const auto begin = Clock::now();
  forward_backward(model, tape, part, batch.targets.first(static_cast<size_t>(rows)), options);
  return since(begin);
}

std::string smaller_batch(const TrainOptions& options) {
  return std::string("take a smaller --batch or --length") +
         (options.checkpoint_activations ? "" : ", or --checkpoint-activations");
}

// The memory that the first `rows` rows of a batch need.
double rows_bytes(const Model& model, const Batch& batch, int64_t rows, const TrainOptions& options) {
  Tokens window;
  window.ids.assign(batch.inputs.ids.begin(), batch.inputs.ids.begin() + rows);
  window.offsets = {0, static_cast<int32_t>(rows)};
  window.start = {0};
  Tape tape(model.device());
  forward_backward(model, tape, window, batch.targets.first(static_cast<size_t>(rows)), options);
  return static_cast<double>(tape.peak_bytes());
}

// Memory of one window; a batch needs that times its number of windows. Shorter windows are tried first, so that the
// memory for the next one is estimated before it runs.
double window_bytes(const Model& model, const TrainingData& data, const TrainOptions& options) {
  const Batch batch = data.batch(0);
  const auto all = std::min<int64_t>(options.length, static_cast<int64_t>(batch.targets.size()));
  double bytes = 0;
  int64_t before = 1;
  for (const int64_t part : {64, 8, 1}) {
    const int64_t rows = std::max<int64_t>(1, all / part);
    require_memory(bytes * static_cast<double>(rows) / static_cast<double>(before),
                   "a training sequence of " + std::to_string(rows) + " positions", smaller_batch(options));
    bytes = rows_bytes(model, batch, rows, options);
    before = rows;
  }
  return bytes;
}

// The part of the budget for the run; infinite if there is no budget. At least a quarter, since slow inputs may have
// taken more than their half.
double budget_here(const TrainOptions& o, double elsewhere) {
  return o.steps > 0 || o.budget <= 0 ? std::numeric_limits<double>::infinity()
                                      : std::max(o.budget - elsewhere, o.budget / 4);
}

// The least that a run does is one step and two evaluations of one batch each, and an evaluation costs a third of a
// batch.
void require_time(const TrainOptions& o, double elsewhere, double batch_seconds) {
  const double needed = batch_seconds * (static_cast<double>(o.accumulate) + 2.0 / 3), here = budget_here(o, elsewhere);
  require(needed <= here, ErrorCode::config, "[train] a step of ",
          o.accumulate == 1 ? "" : std::to_string(o.accumulate) + " batches of ", o.batch, " x ", o.length,
          " positions and its measurements take ", significant(needed, 2), " s or more, but ", significant(here, 2),
          " s of the budget are for training; take a smaller --batch or --length, or a larger --budget");
}

double weights_bytes(const Model& model) {
  return static_cast<double>(model.parameter_count()) * static_cast<double>(size_of(model.dtype()));
}
double kept_bytes(const Model& model) { return 4 * weights_bytes(model); }  // weights, gradients, two means

double time_batches(const Model& model, Tape& tape, const TrainingData& data, const TrainOptions& options) {
  const auto run = [&](int64_t i) {
    const auto begin = Clock::now();
    const Batch batch = data.batch(i);
    forward_backward(model, tape, batch.inputs, batch.targets, options);
    return since(begin);
  };
  double spent = run(0);  // the first run allocates memory
  const double enough = options.budget > 0 ? std::min(2.0, 0.02 * options.budget) : 0;
  if (spent > std::max(1.0, enough)) return spent;
  spent = 0;
  int64_t batches = 0;
  while (batches < 3 || (batches < 50 && spent < enough)) spent += run(batches++);
  return spent / static_cast<double>(batches);
}

// Makes a real step and undoes it. The means are zero before the first step.
double time_optimizer(AdamW& optimizer) {
  std::vector<Tensor> saved;
  for (const Parameter* p : optimizer.parameters()) saved.push_back(p->value.clone());
  const auto begin = Clock::now();
  optimizer.step();
  const double spent = since(begin);
  for (size_t i = 0; i < saved.size(); ++i) {
    copy(saved[i], optimizer.parameters()[i]->value);
    optimizer.parameters()[i]->changed();
    fill_zero(optimizer.mean(i));
    fill_zero(optimizer.square(i));
    if (!optimizer.touched_at(i).empty()) fill_zero(optimizer.touched_at(i));
  }
  optimizer.set_steps(0);
  return spent;
}

double time_save(const AdamW& optimizer, OutputFolder& folder) {
  std::vector<NamedView> tensors;
  for (size_t i = 0; i < optimizer.parameters().size(); ++i) tensors.push_back({std::to_string(i), optimizer.mean(i)});
  const auto begin = Clock::now();
  write_with_checksum(folder.at(trial_save_name), tensors, {{"format", "statera trial"}});
  const double spent = 3 * since(begin);
  folder.remove(trial_save_name);
  return spent;
}
}  // namespace

double training_bytes(const Model& model, const TrainingData& data, const TrainOptions& options) {
  return window_bytes(model, data, options) * static_cast<double>(options.batch) + kept_bytes(model);
}

double check_memory(const Model& model, const TrainingData& data, const TrainOptions& options) {
  const double all = training_bytes(model, data, options);
  const double copied = options.budget > 0 ? weights_bytes(model) : 0;  // time_optimizer() copies the weights
  require_memory(all - kept_bytes(model) + copied,
                 "a batch of " + std::to_string(options.batch) + " x " + std::to_string(options.length),
                 smaller_batch(options));
  return all;
}

double first_batch(const Model& model, Tape& tape, const TrainingData& data, const TrainOptions& options,
                   double elsewhere) {
  const auto begin = Clock::now();
  const double bytes = check_memory(model, data, options), window = since(begin);
  const int64_t threads = std::min<int64_t>(model.device().threads(), options.batch);
  const auto batch = static_cast<double>(options.batch);
  if (window * batch * static_cast<double>(options.accumulate) < budget_here(options, elsewhere) / 8) return bytes;
  // As many windows as there are threads may take no longer than one.
  for (int64_t windows = 1; windows < options.batch; windows *= 2)
    require_time(
        options, elsewhere,
        run_windows(model, tape, data, options, windows) * batch / static_cast<double>(std::max(windows, threads)));
  return bytes;
}

double bf16_gain(const Model& model, Tape& tape, const TrainingData& data, const TrainOptions& options) {
  constexpr int most = 6;
  const double limit = options.budget > 0 ? std::min(2.0, 0.02 * options.budget) : 2.0;
  std::vector<double> seconds[2];
  double spent = 0;
  for (int round = 0; round < most && (round == 0 || spent < limit); ++round)
    // bf16 first, so that the cost of touching new memory never makes it look faster
    for (const Precision precision : {Precision::bf16, Precision::fp32}) {
      tape.set_precision(precision);
      const auto begin = Clock::now();
      const Batch batch = data.batch(round);
      forward_backward(model, tape, batch.inputs, batch.targets, options);
      seconds[static_cast<int>(precision)].push_back(since(begin));
      spent += seconds[static_cast<int>(precision)].back();
    }
  const auto usual = [](std::vector<double>& s) {
    if (s.size() > 1) s.erase(s.begin());
    std::sort(s.begin(), s.end());
    return s[s.size() / 2];
  };
  return usual(seconds[static_cast<int>(Precision::fp32)]) / usual(seconds[static_cast<int>(Precision::bf16)]);
}

Forecast measure(Model& model, AdamW& optimizer, Tape& tape, const TrainingData& data, const TrainOptions& options,
                 OutputFolder& folder, double bytes, double elsewhere) {
  Forecast forecast;
  forecast.bytes = bytes;
  const double batch = time_batches(model, tape, data, options);
  require_time(options, elsewhere, batch);
  forecast.step_seconds = batch * static_cast<double>(options.accumulate);
  if (options.budget > 0 && optimizer.steps() == 0) {
    forecast.step_seconds += time_optimizer(optimizer);
    forecast.checkpoint_seconds = time_save(optimizer, folder);
  }
  optimizer.zero_grad();
  // the first evaluation packs the weights
  if (tape.device().precision() != Precision::fp32) measure_held_out(tape, model, data, options, 1);
  const auto begin = Clock::now();
  measure_held_out(tape, model, data, options, 1);
  const double one = since(begin);
  const auto seconds = [&](int64_t chosen, int64_t usual) {
    return one * static_cast<double>(held_out_batches(data, options, chosen ? chosen : usual));
  };
  forecast.held_out_seconds = seconds(options.evaluate_bytes, default_bytes(data, options));
  forecast.final_seconds = seconds(options.final_bytes, default_final_bytes);
  return forecast;
}

namespace {
// Chooses `usual`, or, with a budget, what fits into `most` seconds; a whole number of batches.
void choose_bytes(int64_t& bytes, double& seconds, int64_t usual, double most, const TrainingData& data,
                  const TrainOptions& o) {
  if (bytes > 0) return;
  bytes = usual;
  if (o.budget <= 0 || seconds <= most) return;
  const double batches = static_cast<double>(held_out_batches(data, o, usual)) * most / seconds;
  bytes = batch_bytes(data, o, std::max<int64_t>(1, static_cast<int64_t>(batches)));
  seconds = most;
}
}  // namespace

void choose(TrainOptions& o, Forecast& forecast, const TrainingData& data, double spent, double elsewhere) {
  const double budget = std::max(0.0, o.budget - elsewhere);
  choose_bytes(o.evaluate_bytes, forecast.held_out_seconds, default_bytes(data, o),
               budget / 10 / static_cast<double>(evaluations), data, o);
  choose_bytes(o.final_bytes, forecast.final_seconds, default_final_bytes, budget / 6, data, o);
  if (o.steps == 0) {
    constexpr double margin = 0.97;
    const double fixed = static_cast<double>(evaluations) * forecast.held_out_seconds + forecast.final_seconds +
                         2 * forecast.checkpoint_seconds;
    const double interval = o.budget > 600 ? 30 : 2;
    const double step = forecast.step_seconds * (1 + forecast.checkpoint_seconds / interval);
    o.steps = std::max<int64_t>(1, static_cast<int64_t>((margin * budget - spent - fixed) / step));
  }
  if (o.warmup == 0) o.warmup = std::clamp<int64_t>(o.steps / 20, 1, 200);
  if (o.decay == 0) o.decay = std::max<int64_t>(1, o.steps / 5);
  if (o.evaluate_every == 0) o.evaluate_every = std::max<int64_t>(1, (o.steps + evaluations - 1) / evaluations);
}

double expected_seconds(const TrainOptions& o, const Forecast& f, int64_t steps) {
  return static_cast<double>(steps) * (f.step_seconds + f.held_out_seconds / static_cast<double>(o.evaluate_every)) +
         f.final_seconds;
}

double checkpoint_interval(const TrainRun& run, const TrainOptions& options, const Forecast& forecast) {
  if (run.checkpoint_seconds > 0) return run.checkpoint_seconds;
  return expected_seconds(options, forecast, options.steps) > 600 ? 30 : 2;
}

}  // namespace statera
