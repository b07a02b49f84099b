// What sweeps of whole trainings say about a model, from its mixers, its width, the number of steps and the batch size.
// The best learning rate:
//
//   log2 lr = log2 `lr` + by_width log2(d_model / `d_model`) + by_steps log2(steps / `steps`)
//             + by_positions log2(positions / `positions`)
//
// Each mixer has one row in src/mixers/NAME/rates.json, which also says what it was made from. The rate of a model is
// the mean over its layers. The slopes are assumptions until `bench/rates.sh` has run over several sizes.
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

// `steps` are those of a whole training, `search_steps` those of a trial, `positions` those of a batch. A mixer without
// a row gets the mean of the other rows and an uncertainty of two octaves. Throws ErrorCode::config for a damaged row.
RatePrior rate_prior(const ModelConfig& config, int64_t steps, int64_t search_steps, int64_t positions);

// The usual standard deviation, in bits per byte, between trainings that differ only in their seed: `seed_deviation` of
// the row, less with the root of the number of steps. A model of several mixers has the root mean square over its
// layers; a mixer of which no row is known has the largest of all.
double usual_seed_deviation(const ModelConfig& config, int64_t steps);

}  // namespace statera
