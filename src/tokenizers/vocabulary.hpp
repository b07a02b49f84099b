// Tokens and their ids. Immutable once built; thread-safe.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace statera::tokenizers {

constexpr int32_t most_ids = 1 << 28;  // above all vocabularies; ids are indices into tables

class Vocabulary {
 public:
  // Throws ErrorCode::config, naming `where`, for an id below 0 or beyond most_ids. Of two tokens with one text the
  // last one counts; a token may share an id with another.
  void add(std::string_view token, int64_t id, const std::string& where);
  std::optional<int32_t> id_of(std::string_view token) const;
  std::optional<std::string_view> token_of(int32_t id) const;
  int64_t size() const { return static_cast<int64_t>(ids_.size()); }
  int32_t highest() const { return highest_; }  // -1: empty

 private:
  std::deque<std::string> texts_;  // where the views below point to
  std::unordered_map<std::string_view, int32_t> ids_;
  std::unordered_map<int32_t, std::string_view> tokens_;
  int32_t highest_ = -1;
};

}  // namespace statera::tokenizers
