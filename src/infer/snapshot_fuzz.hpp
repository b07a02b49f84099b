// Shared by the fuzzer of snapshots and the test of its seed inputs.
#pragma once
#include <string>
#include <vector>

#include "core/fingerprint.hpp"
#include "statera/model.hpp"

namespace statera {

inline const std::vector<std::string> snapshot_fuzz_mixers = {"mamba2", "attention"};

// Has fixed and growing tensors, with blocks that fall out of a window.
inline Model snapshot_fuzz_model() {
  Model model(ModelConfig::parse(R"({"format_version": 1, "d_model": 8, "context": 96, "mixers": {
      "m": {"type": "mamba2", "d_state": 4, "headdim": 8}, "A": {"type": "attention", "n_heads": 1, "window": 70}},
          "layers": "m A"})",
                                 "fuzz"),
              Device::cpu({.threads = 1}), {.training = false});
  model.init(1);
  return model;
}

// Stands in the seed inputs in place of a fingerprint, so that they stay valid when the initial weights or the config
// change.
inline const std::string any_model = "fingerprint_here";

inline std::string with_fingerprint(std::string bytes, const Model& model) {
  if (const size_t at = bytes.find(any_model); at != std::string::npos)
    bytes.replace(at, any_model.size(), fingerprint_text(model.fingerprint()));
  return bytes;
}

}  // namespace statera
