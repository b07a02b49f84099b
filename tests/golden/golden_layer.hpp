// Golden files of whole layers: a mixer of the registry with the reference's weights; forward, gradients, states, and
// row by row.
#pragma once
#include "conformance/mixer_run.hpp"
#include "golden/golden_case.hpp"

namespace statera::test {

// How a reference module maps to a mixer: its config block, its states in the reference's layout, and where its weights
// (and, with the prefix "grad.", their gradients) stand.
struct LayerMap {
  nlohmann::json block;
  std::function<void(const State&, int64_t length, OpResult&, int64_t sequence)> read_states;
  // empty: by the parameter's name
  std::function<std::vector<double>(const GoldenFile&, const Parameter&, const std::string& prefix)> values;
};

GoldenCase layer_case(const GoldenFile& file, const LayerMap& map, const std::string& kernel);

// conv_state [W-1, C] -> [C, W-1]; the rest as it stands
void read_ssm_states(const State& state, int64_t length, OpResult& result, int64_t sequence);

void require_silu(const nlohmann::json& config);  // throws unsupported

}  // namespace statera::test
