// Presets for tests that look at logits without training first.
#pragma once
#include <string>

#include "statera/config.hpp"

namespace statera::test {

// A preset whose layers change the logits from the start: as it stands, what they add to the stream begins at zero, so
// that no layer counts.
inline ModelConfig preset(const std::string& name) {
  ModelConfig config = ModelConfig::load(name);
  config.residual_init = "scaled";
  return config;
}

}  // namespace statera::test
