// The self-test of an import: a published folder may bring ids with the logits that its own library gives for them.
#pragma once
#include <optional>
#include <string>

#include "statera/model.hpp"

namespace statera {

// Reads FOLDER/expected.safetensors: `ids` [B, T] (I64) and `logits` [B, T, V] (F64 or F32) of B sequences, each from
// an empty state. Returns the largest distance between a logit of the model and the expected one, as a share of the
// largest expected logit; nothing if there is no such file, or if it has no such tensors. Throws ErrorCode::io if the
// file is damaged or does not fit the model.
std::optional<double> distance_from_examples(const std::string& folder, const Model& model);

// Throws ErrorCode::io if the model is further from the examples than rounding in f32 explains.
void require_examples(const std::string& folder, double distance);

}  // namespace statera
