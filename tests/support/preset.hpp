// Presets for tests that look at logits without training first.
#pragma once
#include <string>

#include "statera/config.hpp"

namespace statera::test {

// As it stands, what the layers of a preset add to the stream begins at zero, so that no layer counts. With this they
// change the logits from the start.
inline ModelConfig with_layers_that_count(ModelConfig config) {
  config.residual_init = "scaled";
  return config;
}

inline ModelConfig preset(const std::string& name) { return with_layers_that_count(ModelConfig::load(name)); }

}  // namespace statera::test
