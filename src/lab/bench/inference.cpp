#include "lab/bench/inference.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/machine.hpp"
#include "lab/bench/roof.hpp"
#include "lab/measure/sequences.hpp"
#include "models/language_model.hpp"
#include "nn/bound_parameter.hpp"
#include "statera/session.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
constexpr int rounds = 3, most_steps = 20;
// seconds: of timed steps per visit, and of a prefill at most, if the guess is right
constexpr double visit_seconds = 0.05, prefill_seconds = 4;
constexpr double guessed_share = 0.3;  // the guessed speed, as a share of the FMA peak
constexpr double widest = 160;         // bytes of activations per position and channel of d_model, roughly
constexpr int64_t longest_slice = 512, slice_grid = 64, slice_positions = 2048;

// What is read: words for routers to cut. Other models take as long for any ids.
std::span<const int32_t> usual_ids() {
  static const std::vector<int32_t> ids = [] {
    constexpr std::string_view text = "Any model may read these words; a router cuts between some of them. ";
    return std::vector<int32_t>(text.begin(), text.end());
  }();
  return ids;
}

struct Case {
  InferenceCost cost;
  std::vector<double> steps, prefills;
  bool left_out = false, no_prefill = false;
  double read_bytes_per_s = 0, visit = 0;  // the best read; seconds that a visit takes
};

// Measures the cases of one model on one device.
class Subject {
 public:
  Subject(const InferencePlan& plan, const std::string& name, WeightFormat weights, const Device& device)
      : name_(name),
        model_(ModelConfig::load(name), device, {.training = false, .weights = weights}),
        contexts_(plan.contexts.size()) {
    for (int64_t batch : plan.batches)
      for (int64_t context : plan.contexts) {
        Case c;
        c.cost = {.model = name,
                  .weights = std::string(name_of(weights)),
                  .threads = device.threads(),
                  .parameters = model_.parameter_count()};
        c.cost.batch = batch, c.cost.context = context;
        const int64_t share = std::clamp(slice_positions / batch / slice_grid * slice_grid, slice_grid, longest_slice);
        c.cost.slice = std::min(context, share);
        cases.push_back(c);
      }
    model_.init(1);
    // a step reads one row of the embedding and a few of a table, which is negligible
    weight_bytes_ = model_.weight_bytes() - static_cast<double>(model_.parameters().front()->value.view().bytes()) +
                    modules_of(model_).output().tied_bytes();
    for (const Parameter* p : model_.parameters())
      if (p->by_rows) weight_bytes_ -= stored_bytes(*p, weights, model_.dtype());
  }

  // Visits each context of a batch once, in ascending order, since the states of the batch grow.
  void take(size_t batch, RoofMeter& meter, BenchTerms& terms, bool first) {
    std::unique_ptr<Sequences> sequences;
    for (size_t i = batch * contexts_; i < (batch + 1) * contexts_; ++i) {
      if (first) begin(cases[i], meter, terms);
      if (cases[i].left_out || (!first && !terms.worth(cases[i].visit))) continue;
      if (!sequences) sequences = std::make_unique<Sequences>(model_, cases[i].cost.batch, usual_ids());
      visit(cases[i], *sequences, meter, terms);
    }
  }

  std::vector<Case> cases;

 private:
  std::string place(const Case& c) const {
    return name_ + (c.cost.weights == name_of(WeightFormat::f32) ? "" : " in " + c.cost.weights) + ", batch " +
           std::to_string(c.cost.batch) + ", context " + std::to_string(c.cost.context);
  }

  void begin(Case& c, RoofMeter& meter, BenchTerms& terms) {
    const double batch = static_cast<double>(c.cost.batch),
                 state = batch * modules_of(model_).cost(1, c.cost.context).state_bytes;
    const double unused = std::max(0.0, free_memory_bytes());
    const std::string what = "inference " + place(c);
    const double activations = batch * static_cast<double>(c.cost.slice * model_.config().d_model) * widest;
    if (state + activations > unused / 2) {
      terms.leave_out(what, "states and activations would need about " + bytes_text(state + activations) + ", " +
                                bytes_text(unused) + " are free");
      c.left_out = true;
      return;
    }
    constexpr double new_bytes_per_s = 1e9;  // speed of touching new memory
    c.left_out = !terms.fits((state + weight_bytes_) / new_bytes_per_s, what);
    if (c.left_out) return;
    // for a slice at the end of the context; each position costs at most what a step there costs
    const auto flops = [&] {
      return batch * static_cast<double>(c.cost.slice) *
             modules_of(model_).cost(c.cost.slice, c.cost.context).step_flops;
    };
    if (speed_ == 0) speed_ = guessed_share * meter.fma_flops();
    const double most = std::min(prefill_seconds, terms.seconds_left());
    while (c.cost.slice > slice_grid && flops() / speed_ > most)
      c.cost.slice = std::max(slice_grid, c.cost.slice / 2 / slice_grid * slice_grid);
    c.no_prefill = flops() / speed_ > most;
    if (c.no_prefill)
      terms.leave_out("prefill " + place(c), "a slice of " + std::to_string(c.cost.slice) + " would take about " +
                                                 seconds_text(flops() / speed_) + ", and gets at most " +
                                                 seconds_text(std::max(0.0, most)));
  }

  void visit(Case& c, Sequences& sequences, RoofMeter& meter, BenchTerms& terms) {
    const double entered = clock_seconds();
    const int64_t context = c.cost.context;
    if (!c.no_prefill)
      for (int i = 0; i < 2; ++i) {  // the first run touches new memory
        sequences.place(context, c.cost.slice);
        const double seconds = sequences.read(context, c.cost.slice);
        if (i > 0)
          c.prefills.push_back(seconds);
        else if (seconds > prefill_seconds / 2) {
          c.prefills.push_back(seconds);
          break;
        }
      }
    double timed = 0;
    for (int i = 0; i <= most_steps && (i <= 1 || timed < visit_seconds); ++i) {
      const double seconds = sequences.step(context);
      if (i == 0) continue;
      c.steps.push_back(seconds);
      timed += seconds;
    }
    c.cost.state_bytes = sequences.bytes();
    c.cost.step_bytes = weight_bytes_ + sequences.step_bytes();
    c.read_bytes_per_s = std::max(c.read_bytes_per_s, meter.read_bytes(c.cost.step_bytes));
    if (terms.note && c.visit == 0)
      terms.note("inference " + place(c) + ": a step " + std::to_string(std::llround(median(c.steps) * 1e6)) + " us");
    c.visit = clock_seconds() - entered;
  }

  std::string name_;
  Model model_;
  size_t contexts_;
  double weight_bytes_ = 0, speed_ = 0;  // bytes that a step reads; FLOPs per second, roughly
};
}  // namespace

std::vector<InferenceCost> measure_inference(const InferencePlan& plan, BenchTerms& terms) {
  for (const std::string& model : plan.models) LanguageModel(ModelConfig::load(model));
  std::vector<std::unique_ptr<Subject>> subjects;
  std::vector<std::unique_ptr<RoofMeter>> meters;
  for (const Device& device : plan.devices) meters.push_back(std::make_unique<RoofMeter>(device));
  for (const std::string& model : plan.models)
    for (WeightFormat weights : plan.weights)
      for (const Device& device : plan.devices)
        subjects.push_back(std::make_unique<Subject>(plan, model, weights, device));
  for (int round = 0; round < rounds; ++round)
    for (size_t batch = 0; batch < plan.batches.size(); ++batch)
      for (size_t i = 0; i < subjects.size(); ++i)
        subjects[i]->take(batch, *meters[i % meters.size()], terms, round == 0);

  std::vector<InferenceCost> costs;
  for (const auto& subject : subjects)
    for (const Case& c : subject->cases) {
      if (c.steps.empty()) continue;
      const Timing timing = timing_of(c.steps);
      InferenceCost cost = c.cost;
      const auto batch = static_cast<double>(cost.batch);
      cost.step_seconds = timing.seconds, cost.spread_seconds = timing.spread, cost.runs = timing.runs;
      cost.step_positions_per_s = batch / timing.seconds;
      if (!c.prefills.empty())
        cost.prefill_positions_per_s = batch * static_cast<double>(cost.slice) / median(c.prefills);
      cost.read_share = cost.step_bytes / c.read_bytes_per_s / timing.seconds;
      costs.push_back(cost);
    }
  return costs;
}

std::vector<StreamCost> measure_stream(const std::string& name, int64_t bytes, const Device& device) {
  Model model(ModelConfig::load(name), device, {.training = false});
  model.init(1);
  Session session(model, {.rewind_bytes = 0});
  std::vector<StreamCost> costs;
  constexpr size_t most = 1000;
  std::vector<double> recent;  // the times of the last `most` steps, so that memory does not grow with the stream
  recent.reserve(most);
  size_t taken = 0;
  for (int64_t next = 100; session.position() < bytes;) {
    const double begin = clock_seconds();
    session.step(static_cast<int32_t>(session.position() * 7 % 256));
    const double seconds = clock_seconds() - begin;
    if (recent.size() < most)
      recent.push_back(seconds);
    else
      recent[taken % most] = seconds;
    ++taken;
    if (session.position() != next && session.position() != bytes) continue;
    costs.push_back({.model = name,
                     .threads = device.threads(),
                     .position = session.position(),
                     .step_seconds = median(recent),
                     .state_bytes = static_cast<double>(session.state_bytes()),
                     .resident_bytes = resident_bytes()});
    recent.clear();
    taken = 0;
    if (session.position() == next) next *= 10;
  }
  return costs;
}

}  // namespace statera
