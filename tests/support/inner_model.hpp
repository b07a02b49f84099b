// Small models with inner stacks, of MLPs alone.
#pragma once
#include <string>

#include "statera/model.hpp"

namespace statera::test {

// A config whose layers and "inner" are given; `more` stands after them.
inline std::string with(const std::string& layers, const std::string& inner, const std::string& more = "") {
  return R"({"d_model": 8, "mixers": {"f": {"type": "ffn", "d_ff": 12}}, "layers": ")" + layers + R"(", "inner": )" +
         inner + more + "}";
}

inline Model model_of(const std::string& config, DType dtype = DType::f64) {
  Model model(ModelConfig::parse(config, "x.json"), Device::cpu({.threads = 1}), {.dtype = dtype});
  model.init(1);
  return model;
}

}  // namespace statera::test
