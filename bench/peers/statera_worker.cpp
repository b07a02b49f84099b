// Statera as one contender of bench/peers: makes a model, says that it is ready, and measures whenever a line asks for
// it.
//
//   peers_worker train|prefill|step CONFIG BATCH LENGTH THREADS f32|bf16|int8|int4 [checkpoint]
//
// train: whole steps, optimizer included, of BATCH x LENGTH positions; prefill: LENGTH ids from the start (BATCH is 1),
// logits of the last; step: one id of BATCH sequences that have read LENGTH - 1. The first line is about the model,
// after the first call. A line with a number of seconds is answered by one with the seconds of each call that fit into
// them, after one that is not timed. bf16: in training, of products. checkpoint: in training, blocks are run again in
// backward.
#include <cstdio>
#include <iostream>
#include <memory>

#include <nlohmann/json.hpp>

#include "core/machine.hpp"
#include "statera/random.hpp"
#include "lab/measure/sequences.hpp"
#include "lab/timing.hpp"
#include "models/language_model.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"
#include "statera/error.hpp"
#include "statera/optimizer.hpp"
#include "statera/session.hpp"
#include "statera/train.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

struct Work {
  std::string mode, config;
  int64_t batch = 1, length = 1;
  Device device;
  WeightFormat weights = WeightFormat::f32;
  bool checkpoint = false;
};

std::vector<int32_t> random_ids(int64_t n, int64_t vocab) {
  const Random random(1, "peers");
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i)
    ids.push_back(static_cast<int32_t>(random.bits(static_cast<uint64_t>(i)) % static_cast<uint64_t>(vocab)));
  return ids;
}

Tokens sequences_of(const Work& w, std::vector<int32_t> ids) {
  Tokens tokens{.ids = std::move(ids), .offsets = {0}, .start = {}};
  const auto length = static_cast<int64_t>(tokens.ids.size()) / w.batch;
  for (int64_t b = 1; b <= w.batch; ++b)
    tokens.offsets.push_back(static_cast<int32_t>(b * length)), tokens.start.push_back(0);
  return tokens;
}

class Subject {
 public:
  virtual ~Subject() = default;
  virtual void call() = 0;
};

class Training : public Subject {
 public:
  Training(Model& model, const Work& w)
      : model_(model),
        optimizer_(model.parameters(), {}, w.device),
        tape_(w.device),
        forward_{.checkpoint = w.checkpoint},
        tokens_(sequences_of(w, random_ids(w.batch * w.length, model.config().vocab_size))),
        targets_(tokens_.ids.rbegin(), tokens_.ids.rend()) {}
  void call() override {
    training_pass(model_, tape_, tokens_, targets_, forward_);
    optimizer_.step();
    tape_.reset();
  }

 private:
  Model& model_;
  AdamW optimizer_;
  Tape tape_;
  ForwardOptions forward_;
  Tokens tokens_;
  std::vector<int32_t> targets_;
};

class Prefill : public Subject {
 public:
  Prefill(const Model& model, const Work& w)  // `begin` is the first position
      : session_(model, {.rewind_bytes = 0, .warn = [](const std::string&) {}}),
        ids_(random_ids(w.length - (model.config().begin ? 1 : 0), model.config().vocab_size)) {}
  void call() override {
    session_.reset();
    session_.prefill(ids_);
  }

 private:
  Session session_;
  std::vector<int32_t> ids_;
};

// All sequences step from the same place again and again, so that each call is the same work.
class Step : public Subject {
 public:
  Step(const Model& model, const Work& w) : sequences_(model, w.batch), context_(w.length) {}
  void call() override {
    sequences_.place(context_, 1);
    sequences_.read(context_, 1);
  }

 private:
  Sequences sequences_;
  int64_t context_;
};

std::unique_ptr<Subject> subject_of(Model& model, const Work& w) {
  if (w.mode == "train") return std::make_unique<Training>(model, w);
  if (w.mode == "prefill") return std::make_unique<Prefill>(model, w);
  return std::make_unique<Step>(model, w);
}

double timed(Subject& subject) {
  const double begin = clock_seconds();
  subject.call();
  return clock_seconds() - begin;
}

void serve(const Work& w) {
  const double before = resident_bytes();
  Model model(ModelConfig::load(w.config), w.device, {.training = w.mode == "train", .weights = w.weights});
  model.init(1);
  const std::unique_ptr<Subject> subject = subject_of(model, w);
  subject->call();
  const ModelCost cost = modules_of(model).cost(w.length, w.length - 1);
  const double flops = w.mode == "train"     ? cost.training_flops
                       : w.mode == "prefill" ? cost.forward_flops
                                             : cost.step_flops;
  const Json ready = {{"parameters", model.parameter_count()},
                      {"flops_per_position", flops},
                      {"version", STATERA_VERSION},
                      {"threads", w.device.threads()},
                      {"device", w.device.description()}};
  std::cout << ready.dump() << std::endl;
  for (double seconds = 0; std::cin >> seconds;) {
    reset_peak_resident();
    subject->call();
    Json times = Json::array();
    for (const double begin = clock_seconds(); times.empty() || clock_seconds() - begin < seconds;)
      times.push_back(timed(*subject));
    std::cout << Json({{"seconds", times}, {"peak_bytes", peak_resident_bytes() - before}}).dump() << std::endl;
  }
}

Work read(std::vector<std::string> arguments) {
  constexpr const char* usage =
      "usage: peers_worker train|prefill|step CONFIG BATCH LENGTH THREADS f32|bf16|int8|int4 [checkpoint]";
  const auto wrong = [&] { return Error(ErrorCode::config, usage); };
  const bool checkpoint = arguments.size() == 7 && arguments[0] == "train" && arguments[6] == "checkpoint";
  if (checkpoint) arguments.pop_back();
  if (arguments.size() != 6 || (arguments[0] != "train" && arguments[0] != "prefill" && arguments[0] != "step"))
    throw wrong();
  const auto number = [&](const std::string& text) {
    if (text.empty() || text.size() > 8 || text.find_first_not_of("0123456789") != std::string::npos ||
        std::stoll(text) < 1)
      throw wrong();
    return static_cast<int64_t>(std::stoll(text));
  };
  Work w{.mode = arguments[0],
         .config = arguments[1],
         .batch = number(arguments[2]),
         .length = number(arguments[3]),
         .device = Device::cpu({.threads = static_cast<int>(number(arguments[4]))}),
         .checkpoint = checkpoint};
  if (w.mode == "prefill" && w.batch != 1) throw Error(ErrorCode::config, "a prefill is of one sequence: BATCH is 1");
  if (w.mode == "train" && arguments[5] == name_of(Precision::bf16))
    return w.device = w.device.with(Precision::bf16), w;
  for (WeightFormat format : weight_formats)
    if (name_of(format) == arguments[5]) return w.weights = format, w;
  throw wrong();
}
}  // namespace

}  // namespace statera

int main(int argc, char** argv) {
  try {
    statera::serve(statera::read({argv + 1, argv + argc}));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
}
