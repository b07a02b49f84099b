// Unigram, as in tokenizer.json: the tokens of a piece are those with the best sum of scores. An unknown character has
// the least score minus 10. Neighbouring unknown ones are one token, unless byte_fallback has tokens for their bytes.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tokenizers/parts.hpp"

namespace statera::tokenizers {

// `vocabulary`: tokens and scores by id. Throws ErrorCode::config, naming `where`, if unk_id is not in it; so does
// encode() for an unknown character without unk_id.
std::unique_ptr<TokenModel> unigram(const std::vector<std::pair<std::string, double>>& vocabulary,
                                    std::optional<int32_t> unk_id, bool byte_fallback, std::string where);

}  // namespace statera::tokenizers
