// Which files TokenizerTrainer writes.
#pragma once
#include <string_view>

namespace statera::tokenizers {

// Whether the content of a tokenizer.json is, byte for byte, what TokenizerTrainer writes for some text. What it means
// is known then: another program has had no part in it.
bool is_trained_here(std::string_view file);

}  // namespace statera::tokenizers
