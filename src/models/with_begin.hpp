// Imported models often have no id for the beginning of a document, which training on documents needs.
#pragma once
#include "statera/model.hpp"

namespace statera {

// A copy of `model`, for training, that has the id `vocab_size` for the beginning of a document. Its row of the
// embedding has the initial values of a new model with this seed; what the model says of other ids stays as it is. The
// copy reads the same units.
// Throws ErrorCode::config if the model has such an id already, and ErrorCode::unsupported if its weights are in int8
// or int4.
Model with_begin(const Model& model, uint64_t seed);

}  // namespace statera
