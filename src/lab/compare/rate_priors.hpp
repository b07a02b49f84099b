// The learning rate that sweeps of whole trainings have shown to be best, by the mixers of a model, its width, the
// steps and the size of a batch.
//
//   log2 lr = log2 `lr` + by_width log2(d_model / `d_model`) + by_steps log2(steps / `steps`) + by_positions
//   log2(positions / `positions`)
//
// with one row a mixer in src/mixers/NAME/rates.json, which says what it was made from; the rate of a model is the mean
// over its layers. The slopes are assumptions until `bench/rates.sh` has run over several sizes.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lab/compare/rates.hpp"
#include "statera/config.hpp"

namespace statera {

struct MixerRates {
  std::string_view mixer, json;
};
const std::vector<MixerRates>& embedded_rates();  // generated from src/mixers/*/rates.json

// `steps` of a whole training and `search_steps` of a trial; `positions` in a batch. A mixer without a row has the mean
// of the others' and an uncertainty of two octaves. Throws config for a damaged row.
RatePrior rate_prior(const ModelConfig& config, int64_t steps, int64_t search_steps, int64_t positions);

}  // namespace statera
