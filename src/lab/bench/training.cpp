#include "lab/bench/training.hpp"

#include <algorithm>
#include <memory>

#include "core/machine.hpp"
#include "statera/random.hpp"
#include "lab/bench/roof.hpp"
#include "models/language_model.hpp"
#include "statera/optimizer.hpp"
#include "statera/train.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
constexpr int rounds = 3, most_steps = 20;
constexpr double visit_seconds = 1;
// Seconds. With a time limit, a case whose steps take longer gets no untimed step first. Touching new memory costs such
// a step a few hundredths of its time.
constexpr double long_step = 20;
constexpr int64_t usual_positions = 2048;
constexpr int64_t probed_positions = 256;  // enough to estimate what a longer length needs

struct RandomBatch {
  RandomBatch(int64_t batch, int64_t length) {
    const Random random(1, "bench");
    tokens.offsets.push_back(0);
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t t = 0; t < length; ++t)
        tokens.ids.push_back(static_cast<int32_t>(random.bits(tokens.ids.size()) % 256));
      tokens.offsets.push_back(static_cast<int32_t>(tokens.ids.size()));
      tokens.start.push_back(0);
    }
    targets.assign(tokens.ids.rbegin(), tokens.ids.rend());
  }
  Tokens tokens;
  std::vector<int32_t> targets;
};

// A model with its optimizer, on one device.
struct Learner {
  Learner(const std::string& name, const Device& device)
      : model(ModelConfig::load(name), device), optimizer(model.parameters(), {}, device) {
    model.init(1);
  }

  double step(Tape& tape, const RandomBatch& batch, bool checkpoint) {
    const double begin = clock_seconds();
    training_pass(model, tape, batch.tokens, batch.targets, {.checkpoint = checkpoint});
    optimizer.step();
    tape.reset();
    return clock_seconds() - begin;
  }

  Model model;
  AdamW optimizer;
};

struct Case {
  TrainingCost cost;
  std::vector<double> seconds, shares;
  double flops = 0, visit = 0;  // flops per step; seconds that a visit takes
  bool left_out = false, cold = false;
};

// Measures the cases of one model on one device, in the order of their lengths.
class Subject {
 public:
  Subject(const TrainingPlan& plan, const std::string& name, const Device& device) : name_(name), meter_(device) {
    for (int64_t length : plan.lengths)
      for (int64_t batch :
           plan.batches.empty() ? std::vector<int64_t>{std::max<int64_t>(1, usual_positions / length)} : plan.batches) {
        Case c;
        c.cost = {.model = name,
                  .precision = name_of(device.precision()),
                  .threads = device.threads(),
                  .batch = batch,
                  .length = length,
                  .checkpoint = plan.checkpoint};
        cases.push_back(c);
      }
  }

  // Visits case i once, if there is time for it.
  void take(size_t i, BenchTerms& terms, bool first) {
    Case& c = cases[i];
    if (first) begin(c, terms);
    if (!c.left_out && (first || terms.worth(c.visit))) visit(c, terms);
  }

  std::vector<Case> cases;

 private:
  void begin(Case& c, BenchTerms& terms) {
    if (!learner_) {
      reset_peak_resident();
      const double before = resident_bytes();
      learner_ = std::make_unique<Learner>(name_, meter_.device());
      probe(c.cost.checkpoint);
      reset_peak_resident();
      model_bytes_ = std::max(0.0, resident_bytes() - before);
    }
    c.cost.parameters = learner_->model.parameter_count();
    const double positions = static_cast<double>(c.cost.batch) * static_cast<double>(c.cost.length);
    c.flops = modules_of(learner_->model).cost(c.cost.length, c.cost.length).training_flops * positions;
    const std::string what =
        "training " + name_ + ", batch " + std::to_string(c.cost.batch) + " x " + std::to_string(c.cost.length);
    const double needed = bytes_per_position_ * positions, unused = free_memory_bytes();
    if (needed > unused) {
      terms.leave_out(what, "it would need about " + bytes_text(needed) + " more, " + bytes_text(unused) + " are free");
      c.left_out = true;
      return;
    }
    const double step = c.flops / flops_per_s_;
    c.cold = terms.ends > 0 && step > long_step;
    c.left_out = !terms.fits(c.cold ? step : 2 * step, what);
  }

  void probe(bool checkpoint) {
    const RandomBatch batch(1, probed_positions);
    Tape tape(meter_.device());
    learner_->step(tape, batch, checkpoint);
    flops_per_s_ = modules_of(learner_->model).cost(probed_positions, probed_positions).training_flops *
                   probed_positions / learner_->step(tape, batch, checkpoint);
    bytes_per_position_ = static_cast<double>(tape.peak_bytes()) / probed_positions;
  }

  void visit(Case& c, BenchTerms& terms) {
    const double entered = clock_seconds(),
                 positions = static_cast<double>(c.cost.batch) * static_cast<double>(c.cost.length);
    const RandomBatch batch(c.cost.batch, c.cost.length);
    const bool first = c.seconds.empty();
    if (first) reset_peak_resident();
    const double with_model = resident_bytes();
    {
      Tape tape(meter_.device());
      if (!c.cold) learner_->step(tape, batch, c.cost.checkpoint);  // touches new memory
      const double peak = meter_.fma_flops(), started = clock_seconds();
      for (int i = 0;
           i < most_steps && (i == 0 || clock_seconds() - started < std::min(visit_seconds, terms.seconds_left()));
           ++i) {
        c.seconds.push_back(learner_->step(tape, batch, c.cost.checkpoint));
        c.shares.push_back(c.flops / c.seconds.back() / peak);
      }
      c.cost.tape_bytes = static_cast<double>(tape.peak_bytes());
    }
    if (first && peak_resident_bytes() > 0) {
      c.cost.peak_bytes = model_bytes_ + std::max(0.0, peak_resident_bytes() - with_model);
      bytes_per_position_ = std::max(0.0, peak_resident_bytes() - with_model) / positions;
    }
    flops_per_s_ = c.flops / c.seconds.back();
    c.visit = clock_seconds() - entered;
    if (terms.note && first)
      terms.note("training " + name_ + ", batch " + std::to_string(c.cost.batch) + " x " +
                 std::to_string(c.cost.length) + ": " + count_text(positions / median(c.seconds)) + " positions/s");
  }

  std::string name_;
  RoofMeter meter_;
  std::unique_ptr<Learner> learner_;
  double model_bytes_ = 0, flops_per_s_ = 0, bytes_per_position_ = 0;
};
}  // namespace

std::vector<TrainingCost> measure_training(const TrainingPlan& plan, BenchTerms& terms) {
  // errors are reported before an hour has passed
  for (const std::string& model : plan.models) LanguageModel(ModelConfig::load(model));
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const std::string& model : plan.models)
    for (const Device& device : plan.devices) subjects.push_back(std::make_unique<Subject>(plan, model, device));
  for (int round = 0; round < rounds; ++round)
    for (size_t i = 0; i < subjects.front()->cases.size();
         ++i)  // short lengths of all models first: a busy machine leaves out the long ones
      for (const auto& subject : subjects) subject->take(i, terms, round == 0);

  std::vector<TrainingCost> costs;
  for (const auto& subject : subjects)
    for (const Case& c : subject->cases) {
      if (c.seconds.empty()) continue;
      const Timing timing = timing_of(c.seconds);
      TrainingCost cost = c.cost;
      cost.step_seconds = timing.seconds, cost.spread_seconds = timing.spread, cost.runs = timing.runs;
      cost.positions_per_s = static_cast<double>(cost.batch) * static_cast<double>(cost.length) / timing.seconds;
      cost.fma_share = median(c.shares);
      costs.push_back(cost);
    }
  return costs;
}

StartCost measure_start(const std::string& model, int64_t batch, int64_t length, const Device& device) {
  StartCost cost{.model = model, .threads = device.threads(), .batch = batch, .length = length};
  Learner learner(model, device);
  Tape tape(device);
  const RandomBatch bytes(batch, length);
  learner.step(tape, bytes, false);
  cost.first_step_seconds = process_age_seconds();
  for (int step = 2; step <= 10; ++step) cost.tenth_step_seconds = learner.step(tape, bytes, false);
  cost.extra_seconds = cost.first_step_seconds - cost.tenth_step_seconds;
  return cost;
}

}  // namespace statera
