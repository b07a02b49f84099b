// Shared by the fuzzer and the tests of checkpoints: a run of two steps with carried states.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "statera/model.hpp"
#include "statera/train.hpp"

namespace statera {

inline const std::vector<std::string> checkpoint_fuzz_mixers = {"mamba2", "attention"};

// Carries fixed states and states that grow within a window.
inline Model checkpoint_fuzz_model() {
  Model model(ModelConfig::parse(R"({"format_version": 1, "d_model": 8, "context": 8, "mixers": {
      "m": {"type": "mamba2", "d_state": 4, "headdim": 8}, "A": {"type": "attention", "n_heads": 1, "window": 5}},
          "layers": "m A"})",
                                 "fuzz"),
              Device::cpu({.threads = 1}));
  model.init(1);
  return model;
}

inline TrainOptions checkpoint_fuzz_options() {
  TrainOptions options;
  options.steps = 2;
  options.batch = 2;
  options.length = 8;
  options.carry = true;
  options.warmup = options.evaluate_every = 1;
  options.evaluate_bytes = options.final_bytes = 16;
  return options;
}

inline TrainingData checkpoint_fuzz_data() {
  struct Lanes {
    Tokens tokens{std::vector<int32_t>(16), {0, 8, 16}, {0, 0}};
    std::vector<int32_t> targets = std::vector<int32_t>(16);
  };
  const auto batch = [lanes = std::make_shared<Lanes>()](int64_t number) -> Batch {
    for (size_t i = 0; i < 16; ++i)
      lanes->tokens.ids[i] = lanes->targets[(i + 15) % 16] =
          static_cast<int32_t>(97 + (7 * static_cast<size_t>(number) + i * i) % 26);
    lanes->tokens.start = {8 * number, 8 * number};
    return {lanes->tokens, lanes->targets};
  };
  const auto held_out = [batch](int64_t) { return batch(0); };
  return {.batch = batch, .held_out = held_out, .held_out_batches = 1, .fingerprint = 1};
}

}  // namespace statera
