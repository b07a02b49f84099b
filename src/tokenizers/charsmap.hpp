// The precompiled_charsmap of SentencePiece: which beginnings of a text are replaced by what. It is a double array over
// bytes (Darts), followed by the replacements, each of which ends with a zero. Owns a copy of both, from which
// Found::by borrows. Immutable; thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace statera::tokenizers {

class Charsmap {
 public:
  Charsmap() = default;  // replaces nothing
  // Throws ErrorCode::config, naming `where`, if the sizes in it do not fit.
  Charsmap(std::string_view bytes, const std::string& where);
  bool empty() const { return nodes_.empty(); }

  struct Found {
    size_t size;  // of the beginning that is replaced
    std::string_view by;
  };
  std::optional<Found> longest(std::string_view text) const;
  // The replacement of the shortest beginning that has one.
  std::optional<std::string_view> shortest(std::string_view text) const;

 private:
  // Calls found(size, value) for each beginning of the text in the map, shortest first, until it returns false.
  template <class Use>
  void each_beginning(std::string_view text, Use found) const;
  std::optional<std::string_view> replacement(uint32_t at) const;

  std::vector<uint32_t> nodes_;
  std::string replacements_;
};

// Throws ErrorCode::config, naming `where`, if it is not base64.
std::string from_base64(std::string_view text, const std::string& where);

}  // namespace statera::tokenizers
