// The public character-level setting on tinyshakespeare: 4 layers of attention (4 heads, d_model 128), context 64,
// batch 12, 2,000 steps, no dropout; the SSMs get no more parameters. Nats per character over the whole last tenth of
// the text, every position of windows of 64.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "ops/cross_entropy/cross_entropy.hpp"
#include "statera/data.hpp"
#include "statera/model.hpp"
#include "statera/optimizer.hpp"
#include "statera/train.hpp"

namespace {

using namespace statera;

struct Candidate {
  const char *name, *config;
  float lr;
};
const Candidate candidates[] = {
    {"attention",
     R"({"d_model": 128, "mixers": {"A": {"type": "attention", "n_heads": 4}}, "mlp": {"d_ff": 352}, "layers": "A4"})",
     1e-3f},
    {"mamba1", R"({"d_model": 128, "mixers": {"m": {"type": "mamba1"}}, "layers": "m6"})", 3e-3f},
    {"mamba2", R"({"d_model": 128, "mixers": {"m": {"type": "mamba2"}}, "layers": "m6"})", 3e-3f},
};
constexpr int64_t batch = 12, context = 64, steps = 2000, warmup = 100;

double evaluate(const Model& model, const ByteSource& held_out) {
  BatchStream stream(held_out, {.batch = 64, .length = context, .order = Order::sweep});
  Tape tape(model.device());
  double nats = 0;
  int64_t count = 0;
  for (int64_t i = 0; i < stream.steps(); ++i) {
    const Batch read = stream.next();
    const Tape::NoGrad forward_only(tape);
    const auto n = static_cast<int64_t>(read.targets.size());
    nats += tape.item(cross_entropy(tape, model.forward(tape, read.inputs), read.targets)) * static_cast<double>(n);
    count += n;
    tape.reset();
  }
  return nats / static_cast<double>(count);
}

double run(const Candidate& candidate, const ByteSource& train, const ByteSource& held_out, uint64_t seed, FILE* log) {
  Model model(ModelConfig::parse(candidate.config, candidate.name));
  model.init(seed);
  AdamW optimizer(model.parameters(), {.lr = candidate.lr, .weight_decay = 0.1f, .beta2 = 0.99f}, model.device());
  BatchStream stream(train, {.batch = batch, .length = context, .seed = seed, .begin_every = 0});
  Tape tape(model.device());
  for (int64_t step = 0; step < steps; ++step) {
    const Batch read = stream.next();
    const TrainingLoss loss = training_pass(model, tape, read.inputs, read.targets);
    if (step % 500 == 0) std::fprintf(log, "  step %lld: %.3f\n", static_cast<long long>(step), loss.loss);
    optimizer.step(cosine(step, steps, warmup));
    tape.reset();
  }
  const double nats = evaluate(model, held_out);
  std::fprintf(log, "%s, %lld parameters, seed %llu: %.4f nats per character\n", candidate.name,
               static_cast<long long>(model.parameter_count()), static_cast<unsigned long long>(seed), nats);
  std::fflush(log);
  return nats;
}

}  // namespace

// char_lm FILE [--json] [--seeds N] [--only NAME]
int main(int argc, char** argv) try {
  const char *file = argc > 1 ? argv[1] : "", *only = "";
  uint64_t seeds = 3;
  bool json = false;
  for (int i = 2; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--json"))
      json = true;
    else if (!std::strcmp(argv[i], "--seeds") && i + 1 < argc)
      seeds = std::stoul(argv[++i]);
    else if (!std::strcmp(argv[i], "--only") && i + 1 < argc)
      only = argv[++i];
    else
      return std::fprintf(stderr, "char_lm: unknown flag %s\n", argv[i]), 2;
  }
  const auto [train, held_out] = ByteSource(file).split(0.1);
  std::string result = "{";
  for (const Candidate& candidate : candidates) {
    if (*only && std::strcmp(only, candidate.name) != 0) continue;
    double sum = 0;
    for (uint64_t seed = 1; seed <= seeds; ++seed) sum += run(candidate, train, held_out, seed, json ? stderr : stdout);
    char text[64];
    std::snprintf(text, sizeof text, "%s\"%s\": %.4f", result.size() > 1 ? ", " : "", candidate.name,
                  sum / static_cast<double>(seeds));
    result += text;
  }
  std::printf("%s}\n", result.c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "char_lm: %s\n", error.what());
  return 1;
}
