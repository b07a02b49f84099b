// What a block keeps for backward, in numbers per position: what is cheap to make again is not among it, what is dear
// to make again is.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "statera/model.hpp"

namespace statera::test {

constexpr int64_t kept_width = 64, kept_d_ff = 96;  // of these models

// `mixer`: its config in a model of kept_width; `numbers`: what it keeps per position, sums of the residual included.
inline void expect_kept(int64_t numbers, const std::string& mixer, bool with_mlp = false) {
  constexpr int32_t length = 512;
  const std::string mlp =
      with_mlp ? R"(, "mlp": {"type": "swiglu", "d_ff": )" + std::to_string(kept_d_ff) + "}" : std::string();
  const auto kept = [&](int layers, double dropout) {
    const Model model(ModelConfig::parse(R"({"d_model": )" + std::to_string(kept_width) + R"(, "mixers": {"m": )" +
                                             mixer + R"(}, "layers": "m)" + std::to_string(layers) + "\"" + mlp + "}",
                                         "test"),
                      Device::cpu({.threads = 1}), {.training = true});
    Tape tape(Device::cpu({.threads = 1}));
    model.forward(tape, Tokens{std::vector<int32_t>(length, 'x'), {0, length}, {0}}, {.dropout = dropout});
    return static_cast<double>(tape.bytes()) / sizeof(float) / length;
  };
  for (const bool drops : {false, true}) {
    const double dropout = drops ? 0.1 : 0, block = kept(3, dropout) - kept(2, dropout);
    // a byte says whether a number is kept
    const int64_t least = numbers + (drops ? (with_mlp ? 2 : 1) * kept_width / 4 : 0);
    EXPECT_GE(block, static_cast<double>(least)) << mixer << dropout;
    // norms, log-sums, states; the ends of arrays
    EXPECT_LT(block, 1.02 * static_cast<double>(least + 8)) << mixer << dropout;
  }
}

}  // namespace statera::test
