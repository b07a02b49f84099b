// The pre-tokenizers that GGUF files name (tokenizer.ggml.pre), as the patterns of the models they are named after.
#pragma once
#include <string_view>
#include <vector>

namespace statera::tokenizers {

struct GgufPatterns {
  std::vector<std::string_view> patterns;  // each splits what the one before it left
  bool ignore_merges = false, add_bos = false;
};
// Null for a name that is not known.
const GgufPatterns* gguf_patterns(std::string_view name);

}  // namespace statera::tokenizers
