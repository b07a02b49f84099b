// How large a config is, before anything is made of it.
#pragma once
#include "statera/config.hpp"

namespace statera {

// Throws ErrorCode::config if the config has more than 4096 layers in all its stacks together, or stacks within stacks
// more than 8 deep. A stack stands under "stack" in the object of a mixer.
void check_block_count(const ModelConfig& config);

}  // namespace statera
