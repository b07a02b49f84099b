// The post-processors. Each is named as in tokenizer.json, and does what it does there.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "tokenizers/parts.hpp"

namespace statera::tokenizers {

// A template is a list of these: one of the two texts, or tokens.
struct TemplatePiece {
  int text = -1;  // 0: the first, 1: the second; -1: `ids`
  int32_t type_id = 0;
  std::vector<int32_t> ids = {};
};
std::unique_ptr<PostProcessor> template_processing(std::vector<TemplatePiece> single, std::vector<TemplatePiece> pair);
std::unique_ptr<PostProcessor> bert_processing(int32_t cls, int32_t sep);
std::unique_ptr<PostProcessor> roberta_processing(int32_t cls, int32_t sep);
std::unique_ptr<PostProcessor> post_processors(Parts<PostProcessor> all);

// Shortens the texts so that they have at most `most` tokens together.
void truncate(std::vector<Encoded>& parts, const Truncation& truncation, int64_t most);
void pad(Encoded& row, const Padding& padding);

}  // namespace statera::tokenizers
