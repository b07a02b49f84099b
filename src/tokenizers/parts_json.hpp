// The parts of a tokenizer from the objects of tokenizer.json. What is not understood is ErrorCode::unsupported, what
// is wrong ErrorCode::config; both begin with `where`. Include it in .cpp files only.
#pragma once
#include <memory>
#include <string>

#include "io/json.hpp"
#include "tokenizers/parts.hpp"

namespace statera::tokenizers {

std::unique_ptr<const Normalizer> read_normalizer(const nlohmann::json& value, const std::string& where);
// In the order in which they act. `bytes`: the last one turns bytes into letters, and is left out; the model does that.
struct PreTokenizers {
  Parts<PreTokenizer> all;
  bool bytes = false;
};
PreTokenizers read_pre_tokenizer(const nlohmann::json& value, const std::string& where);
void add_byte_letters(Parts<PreTokenizer>& all);  // for a model that cannot do it
std::unique_ptr<const PostProcessor> read_post_processor(const nlohmann::json& value, const std::string& where);
std::unique_ptr<const TokenDecoder> read_decoder(const nlohmann::json& value, const std::string& where);

}  // namespace statera::tokenizers
