// How many positions an inner stack really reads. A learned router has a target, positions of the stack around it per
// position within, and what it learns is another ratio. A plan has only the target; a report has what the training
// measured.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <vector>

#include "statera/config.hpp"

namespace statera {

bool has_inner_stacks(const ModelConfig& config);
bool learns_cuts(const ModelConfig& config);  // whether one of them learns where it reads

// The config by which a candidate is timed before it is trained: a learned router becomes cuts at equal distances of
// its target. An untrained one cuts at almost every position, after the next step at almost none, and the time of such
// steps says nothing about a training. What a position of the router costs (two matrices) is left out.
ModelConfig at_targets(const ModelConfig& config);

// The config whose costs are those at `ratios`, one for each inner stack in the order of their clocks. Cuts at equal
// distances keep theirs. Nothing if it is not clear which stack each belongs to: there are several, and not each stands
// once in brackets.
std::optional<ModelConfig> with_ratios(const ModelConfig& config, std::span<const double> ratios);

struct TrainingFlops {
  std::vector<double> at;            // [points of the curve] FLOPs from the start of training to there
  double per_step = 0;               // after the last point
  std::vector<double> ratios, last;  // [inner stacks] of the whole training, and up to its last point; empty: not known
};

// FLOPs along a curve as a trial stores it: "step", and "ratios" of the steps since the point before. `planned`: FLOPs
// of a step with the routers' targets, which hold where there are no ratios. `ids`: positions of a sequence. Throws
// nlohmann's exceptions if the curve is not one.
TrainingFlops training_flops(const nlohmann::ordered_json& curve, double planned, const ModelConfig& config,
                             int64_t ids);

}  // namespace statera
