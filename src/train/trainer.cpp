// The training loop: batches, steps, evaluations, checkpoints by the clock. The clock decides nothing about the weights
// except two choices that are made once and stored: how many steps a budget allows, and what `auto` precision becomes.
#include <chrono>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "statera/carry.hpp"
#include "statera/random.hpp"
#include "io/output_folder.hpp"
#include "models/model_files.hpp"
#include "text/number.hpp"
#include "statera/loss.hpp"
#include "train/checkpoint.hpp"
#include "train/forecast.hpp"
#include "train/held_out.hpp"
#include "train/metrics.hpp"

namespace statera {

namespace {
using Clock = std::chrono::steady_clock;

void check(const TrainOptions& o, const TrainingData& data, const TrainRun& run) {
  const auto at_least = [](const char* name, auto value, auto least) {
    require(value >= least, ErrorCode::config, "[train] ", name, " is ", value, "; it must be at least ", least);
  };
  require(o.steps > 0 || (o.budget > 0 && std::isfinite(o.budget)), ErrorCode::config,
          "[train] neither steps nor a budget above 0; give one of them (--steps 1000, --budget 10m)");
  at_least("steps", o.steps, 0);
  at_least("batch", o.batch, 1);
  at_least("length", o.length, 1);
  at_least("accumulate", o.accumulate, 1);
  require(o.accumulate <= 65536, ErrorCode::config, "[train] accumulate is ", o.accumulate,
          "; it must be at most 65536");
  require(o.dropout >= 0 && o.dropout < 1, ErrorCode::config, "[train] dropout is ", o.dropout,
          "; it must be in [0, 1)");
  at_least("warmup", o.warmup, 0);
  at_least("decay", o.decay, 0);
  at_least("evaluate_every", o.evaluate_every, 0);
  require(run.checkpoint_seconds >= 0, ErrorCode::config, "[train] seconds between checkpoints are ",
          run.checkpoint_seconds, "; give 0 or more");
  require(o.schedule == "cosine" || o.schedule == "wsd", ErrorCode::config, "[train] schedule '", o.schedule,
          "'; known: cosine, wsd");
  if (o.precision != "auto") static_cast<void>(precision_named(o.precision));
  require(run.forecast || (o.steps > 0 && o.evaluate_bytes > 0 && o.final_bytes > 0), ErrorCode::config,
          "[train] without a forecast steps, evaluate_bytes and final_bytes must be given");
  require(data.held_out_batches > 0, ErrorCode::config, "[train] no held-out data");
  require(!run.out.empty(), ErrorCode::config, "[train] no folder to write to");
}

std::string about(double bytes) { return bytes < 1e9 ? fixed(bytes / 1e6, 0) + " MB" : fixed(bytes / 1e9, 1) + " GB"; }

std::string clock_text(double seconds) {
  char text[48];
  const auto s = static_cast<long long>(std::max(0.0, std::ceil(seconds)));
  if (s >= 3600)
    std::snprintf(text, sizeof(text), "%lld h %lld min", s / 3600, s / 60 % 60);
  else if (s >= 60)
    std::snprintf(text, sizeof(text), "%lld min %lld s", s / 60, s % 60);
  else
    std::snprintf(text, sizeof(text), "%lld s", s);
  return text;
}

class Trainer {
 public:
  Trainer(Model& model, const TrainingData& data, const TrainOptions& options, const TrainRun& run,
          OutputFolder& folder)
      : model_(model),
        data_(data),
        options_(options),
        run_(run),
        folder_(folder),
        tape_(model.device()),
        optimizer_(model.parameters(), {.lr = options.lr, .weight_decay = options.weight_decay, .clip = options.clip},
                   model.device()) {}

  TrainResult go() {
    try {
      prepare();
    } catch (const Abandoned&) {  // nothing new has been written
      return result(false);
    }
    // The files of an earlier run are replaced one by one, each when there is a new one; the models at the first
    // evaluation (evaluate()).
    save();
    MetricsLog metrics(folder_, state_.metrics_bytes);
    if (metrics.missing() > 0) {
      note("metrics.jsonl: " + std::to_string(metrics.missing()) +
           " bytes of earlier steps are missing (was there a power loss?); it continues after its last complete line");
      save(metrics);
    }
    bool stopped = false;
    while (state_.step < options_.steps && !stopped) {
      const TrainProgress progress = step();
      metrics.add(progress);
      if (run_.progress) run_.progress(progress);
      stopped = run_.stop && run_.stop();
      // early enough to keep the interval even with the step that follows
      if (stopped || seconds() - saved_at_ + progress_.step_seconds > interval_) save(metrics);
    }
    if (state_.step == options_.steps) return finish(metrics);
    save_last();
    if (state_.best_step == 0) write_model(model_, folder_);
    folder_.check_place();
    return result(false);
  }

 private:
  struct Abandoned {};

  // The data for measurements before the first step and after the last one, which can be abandoned.
  TrainingData until_abandoned() const {
    const auto ask = [this] {
      if (run_.abandon && run_.abandon()) throw Abandoned();
    };
    TrainingData data = data_;
    data.batch = [this, ask](int64_t i) { return ask(), data_.batch(i); };
    data.held_out = [this, ask](int64_t i) { return ask(), data_.held_out(i); };
    return data;
  }

  // The bytes that a step reads, on average.
  double step_bytes() const {
    return static_cast<double>(options_.batch * options_.length * options_.accumulate) * data_.bytes_per_position;
  }

  double seconds() const { return before_ + std::chrono::duration<double>(Clock::now() - begin_).count(); }
  void note(const std::string& line) const {
    if (run_.note) run_.note(line);
  }

  void prepare() {
    model_.set_context(options_.length);
    state_.data = fingerprint_text(data_.fingerprint);
    state_.cut_bytes = data_.cut_bytes;
    if (run_.resume && has_checkpoint(run_.out)) {
      state_ = load_checkpoint(run_.out, model_, optimizer_, carried_, options_, data_.fingerprint);
      check(options_, data_, run_);  // options that were open come from the checkpoint
      before_ = state_.seconds;
      // The folder may hold a better model: one that the killed run wrote after its checkpoint, and that this run will
      // write again.
      if (state_.best_step == state_.step && state_.step > 0)
        write_model(model_, folder_);
      else
        require_best(run_.out, state_);
      note("resuming at step " + std::to_string(state_.step) + " of " + std::to_string(options_.steps));
    } else if (run_.resume) {
      note("no checkpoint in " + run_.out + " yet: starting from the beginning");
    }
    if (options_.steps > 0 && state_.step == options_.steps) return;
    const TrainingData data = until_abandoned();
    Forecast forecast = or_diverged([&] {
      const double bytes = run_.forecast || options_.precision == "auto"
                               ? first_batch(model_, tape_, data, options_, run_.elsewhere)
                               : 0;
      choose_precision(data);
      return run_.forecast ? measure(model_, optimizer_, tape_, data, options_, folder_, bytes, run_.elsewhere)
                           : Forecast();
    });
    choose(options_, forecast, data_, seconds(), run_.elsewhere);
    interval_ = checkpoint_interval(run_, options_, forecast);
    progress_ = {.step_seconds = forecast.step_seconds,
                 .held_out_seconds = forecast.held_out_seconds,
                 .final_seconds = forecast.final_seconds};
    if (!run_.forecast) return;
    note("forecast: " + about(forecast.bytes) + " of memory, " + std::to_string(options_.steps - state_.step) +
         " steps of " + std::to_string(static_cast<int64_t>(step_bytes())) + " bytes in about " +
         clock_text(expected_seconds(options_, forecast, options_.steps - state_.step)));
  }

  void save(MetricsLog& metrics) {
    state_.metrics_bytes = metrics.flush();
    save();
  }

  void save() {
    state_.seconds = seconds();
    save_checkpoint(folder_, model_, optimizer_, carried_, options_, state_);
    saved_at_ = seconds();
    // a large model is saved less often, so that saving takes a thirtieth of the time at most
    if (run_.checkpoint_seconds <= 0) interval_ = std::max(interval_, 30 * (saved_at_ - state_.seconds));
    saved_step_ = state_.step;
    folder_.check_place();
  }

  // The clock decides here what `auto` becomes. The choice is stored with the run.
  void choose_precision(const TrainingData& data) {
    const bool rounds = model_.dtype() == DType::f32,
               fast = rounds && model_.device().kernels() == KernelChoice::fast && multiplies_bf16();
    require(rounds || options_.precision != "bf16", ErrorCode::config,
            "[train] precision bf16 is for f32 models, this one is ", name_of(model_.dtype()));
    if (options_.precision == "auto") {
      const double gain = fast ? bf16_gain(model_, tape_, data, options_) : 0;
      optimizer_.zero_grad();
      options_.precision = gain > 1.05 ? "bf16" : "fp32";
      note("precision: " + options_.precision +
           (gain > 0 ? "; a batch in bf16 is " + fixed(gain, 2) + " times as fast as in fp32"
                     : "; there is no fast product of bf16 here"));
    } else if (options_.precision == "bf16" && !fast) {
      note("precision: bf16; there is no fast product of bf16 here, so that it is slower than fp32");
    }
    tape_.set_precision(precision_named(options_.precision));
  }

  void save_last() { write_model(model_, folder_, "last/"); }

  double factor() const {
    return options_.schedule == "wsd" ? wsd(state_.step, options_.steps, options_.warmup, options_.decay)
                                      : cosine(state_.step, options_.steps, options_.warmup);
  }

  uint64_t dropout_seed(int64_t index) const {
    const auto words = Random(static_cast<uint64_t>(options_.seed), "dropout").words(static_cast<uint64_t>(index));
    return uint64_t{words[1]} << 32 | words[0];
  }

  // Returns the loss of one batch, as its share of a step with so many targets (0: this batch is the whole step), and
  // adds its gradients to those of the parameters.
  double batch_loss(int64_t index, int64_t targets) {
    const Batch batch = data_.batch(index);
    ForwardOptions forward{.checkpoint = options_.checkpoint_activations,
                           .dropout = options_.dropout,
                           .dropout_seed = dropout_seed(index),
                           .inner_rows = &batch_rows_,
                           .progress = static_cast<double>(state_.step) / static_cast<double>(options_.steps)};
    if (options_.carry) {
      sequences_from_lanes(batch.inputs, options_.length, carried_);
      forward.initial = forward.last = &carried_;
    }
    const TrainingLoss loss = training_pass(model_, tape_, batch.inputs, batch.targets, forward, targets);
    if (options_.carry) lanes_from_sequences(batch.inputs, options_.length, carried_);
    const int64_t counted = counted_targets(batch.targets);
    step_targets_ += counted;
    step_bytes_ += batch.bytes >= 0 ? batch.bytes : counted;
    progress_of_step_.auxiliary += loss.auxiliary;
    progress_of_step_.positions += static_cast<int64_t>(batch.inputs.ids.size());
    progress_of_step_.inner.resize(batch_rows_.size());
    for (size_t i = 0; i < batch_rows_.size(); ++i) {
      progress_of_step_.inner[i].read += batch_rows_[i].read;
      progress_of_step_.inner[i].of += batch_rows_[i].of;
    }
    return loss.loss;
  }

  double all_batches() {
    const int64_t first = state_.step * options_.accumulate;
    int64_t targets = 0;
    for (int64_t i = 0; options_.accumulate > 1 && i < options_.accumulate; ++i)
      targets += counted_targets(data_.batch(first + i).targets);
    double loss = 0;
    step_targets_ = step_bytes_ = 0;
    for (int64_t i = 0; i < options_.accumulate; ++i) loss += batch_loss(first + i, targets);
    return loss;
  }

  // The first value that is not finite ends the run, wherever it occurs.
  template <class Function>
  std::invoke_result_t<Function&> or_diverged(Function&& function) {
    try {
      return function();
    } catch (const Error& operation) {
      if (operation.code() != ErrorCode::numeric) throw;
      diverged(operation.what());
    }
  }

  [[noreturn]] void diverged(const std::string& what) const {
    fail(ErrorCode::numeric, "training stopped at step ", state_.step + 1, ": ", what,
         "; a lower --lr or a smaller --clip may help (", run_.out, " keeps the last checkpoint and the best weights)");
  }

  // Makes a step of the optimizer. If the gradients are not finite, names the operation that made the first bad one.
  double optimizer_step() {
    try {
      return optimizer_.step(factor());
    } catch (const Error& norm) {
      if (norm.code() != ErrorCode::numeric) throw;
      optimizer_.zero_grad();
      tape_.check_gradients(true);
      or_diverged([&] { return all_batches(); });
      diverged(norm.what());
    }
  }

  TrainProgress step() {
    const auto begin = Clock::now();
    TrainProgress& p = progress_of_step_ = {};
    p.lr = factor() * static_cast<double>(options_.lr);
    p.loss = state_.loss = or_diverged([&] { return all_batches(); });
    p.bytes = step_bytes_;
    p.bits_per_byte = p.loss / std::numbers::ln2 * static_cast<double>(step_targets_) /
                      static_cast<double>(std::max<int64_t>(1, step_bytes_));
    p.gradient_norm = optimizer_step();
    p.step = ++state_.step;
    p.steps = options_.steps;
    const double spent = std::chrono::duration<double>(Clock::now() - begin).count();
    progress_.step_seconds += (progress_.step_seconds > 0 ? 0.1 : 1) * (spent - progress_.step_seconds);
    if (state_.step % options_.evaluate_every == 0 || state_.step == options_.steps) p.held_out = evaluate();
    p.bytes_per_second = step_bytes() / progress_.step_seconds;
    p.seconds = seconds();
    const auto left = static_cast<double>(options_.steps - state_.step);
    p.seconds_left =
        left * (progress_.step_seconds + progress_.held_out_seconds / static_cast<double>(options_.evaluate_every)) +
        progress_.final_seconds;
    return p;
  }

  double evaluate() {
    const double bits = measure_held_out(tape_, model_, data_, options_, options_.evaluate_bytes).bits_per_byte;
    if (!std::isfinite(bits)) diverged("the cost of the held-out text is not finite");
    if (bits < state_.best) {
      write_model(model_, folder_);
      if (state_.best_step == 0)  // last/ is of an earlier run
        for (const std::string& name : model_files().names) folder_.remove("last/" + name);
      state_.best = bits;
      state_.best_step = state_.step;
      state_.best_weights = fingerprint_text(model_.fingerprint());
    }
    return bits;
  }

  TrainResult finish(MetricsLog& metrics) {
    if (saved_step_ != state_.step) save(metrics);
    save_last();
    const bool best = state_.best_step == state_.step || state_.best_step == 0;
    if (best) write_model(model_, folder_);
    folder_.check_place();
    if (!best) load_best(run_.out, model_, state_);
    try {
      const HeldOut held_out = measure_held_out(tape_, model_, until_abandoned(), options_, options_.final_bytes);
      if (!std::isfinite(held_out.bits_per_byte)) diverged("the cost of the held-out text is not finite");
      TrainResult r = result(true);
      r.held_out = held_out.bits_per_byte;
      r.held_out_positions = held_out.positions;
      r.held_out_bytes = held_out.bytes;
      return r;
    } catch (const Abandoned&) {
      return result(false);
    }
  }

  TrainResult result(bool finished) const {
    TrainResult r{.options = options_,
                  .step = state_.step,
                  .best_step = state_.best_step,
                  .finished = finished,
                  .loss = state_.loss};
    r.seconds = seconds();
    return r;
  }

  struct Pace {
    double step_seconds = 0, held_out_seconds = 0, final_seconds = 0;
  };

  Model& model_;
  const TrainingData& data_;
  TrainOptions options_;
  const TrainRun& run_;
  OutputFolder& folder_;
  Tape tape_;
  AdamW optimizer_;
  CarriedState carried_;
  std::vector<InnerRows> batch_rows_;
  TrainProgress progress_of_step_;
  int64_t step_targets_ = 0, step_bytes_ = 0;  // of the last step
  RunState state_;
  Pace progress_;
  Clock::time_point begin_ = Clock::now();
  double before_ = 0, saved_at_ = 0, interval_ = 2;
  int64_t saved_step_ = -1;
};
}  // namespace

TrainResult train(Model& model, const TrainingData& data, const TrainOptions& options, const TrainRun& run) {
  check(options, data, run);
  OutputFolder folder = claim_folder(run);
  return Trainer(model, data, options, run, folder).go();
}

TrainResult train(Model& model, const TrainingData& data, const TrainOptions& options, const TrainRun& run,
                  OutputFolder& folder) {
  check(options, data, run);
  return Trainer(model, data, options, run, folder).go();
}

}  // namespace statera
