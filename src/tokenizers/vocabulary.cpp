#include "tokenizers/vocabulary.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "io/printable.hpp"

namespace statera::tokenizers {

void Vocabulary::add(std::string_view token, int64_t id, const std::string& where) {
  require(id >= 0 && id < most_ids, ErrorCode::config, where, ": the token ", in_quotes(token), " has the id ", id,
          "; expected 0 to ", most_ids - 1);
  const std::string_view text = texts_.emplace_back(token);
  ids_.insert_or_assign(text, static_cast<int32_t>(id));
  tokens_.insert_or_assign(static_cast<int32_t>(id), text);
  highest_ = std::max(highest_, static_cast<int32_t>(id));
}

std::optional<int32_t> Vocabulary::id_of(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string_view> Vocabulary::token_of(int32_t id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace statera::tokenizers
