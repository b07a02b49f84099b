#include "tokenizers/charsmap.hpp"

#include <cstring>

#include "core/check.hpp"

namespace statera::tokenizers {

Charsmap::Charsmap(std::string_view bytes, const std::string& where) {
  if (bytes.empty()) return;
  uint32_t size = 0;
  require(bytes.size() > sizeof size, ErrorCode::config, where, ": a charsmap of ", bytes.size(),
          " bytes is cut; fetch the file again");
  std::memcpy(&size, bytes.data(), sizeof size);
  bytes.remove_prefix(sizeof size);
  require(size % sizeof(uint32_t) == 0 && size > 0 && size < bytes.size(), ErrorCode::config, where,
          ": the charsmap says that its trie has ", size, " bytes, but ", bytes.size(),
          " are left for trie and texts; fetch the file again");
  nodes_.resize(size / sizeof(uint32_t));
  std::memcpy(nodes_.data(), bytes.data(), size);
  replacements_ = bytes.substr(size);
  require(replacements_.back() == '\0', ErrorCode::config, where,
          ": the last text of the charsmap does not end; fetch the file again");
}

template <class Use>
void Charsmap::each_beginning(std::string_view text, Use found) const {
  // A node has the byte that leads to it (and bit 31 if it holds a value), bit 8 if a value follows, and an offset.
  const auto offset = [](uint32_t node) { return (node >> 10) << ((node & (1u << 9)) >> 6); };
  size_t at = 0;
  if (nodes_.empty()) return;
  at ^= offset(nodes_[0]);
  for (size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    const uint32_t byte = static_cast<uint8_t>(text[i]);
    at ^= byte;
    if (at >= nodes_.size() || (nodes_[at] & ((1u << 31) | 0xFF)) != byte) return;
    const bool has_value = (nodes_[at] >> 8 & 1) != 0;
    at ^= offset(nodes_[at]);
    if (at >= nodes_.size()) return;
    if (has_value && !found(i + 1, nodes_[at] & ((1u << 31) - 1))) return;
  }
}

std::optional<std::string_view> Charsmap::replacement(uint32_t at) const {
  if (at >= replacements_.size()) return std::nullopt;
  return std::string_view(replacements_.data() + at);  // the last one ends with a zero
}

std::optional<Charsmap::Found> Charsmap::longest(std::string_view text) const {
  std::optional<Found> best;
  each_beginning(text, [&](size_t size, uint32_t value) {
    if (const auto by = replacement(value)) best = Found{size, *by};
    return true;
  });
  return best;
}

std::optional<std::string_view> Charsmap::shortest(std::string_view text) const {
  std::optional<std::string_view> by;
  each_beginning(text, [&](size_t, uint32_t value) {
    by = replacement(value);
    return false;
  });
  return by;
}

std::string from_base64(std::string_view text, const std::string& where) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  const size_t end = text.find_last_not_of('=') + 1;
  for (const char c : text.substr(0, end)) {
    const uint32_t value = c >= 'A' && c <= 'Z'   ? c - 'A'
                           : c >= 'a' && c <= 'z' ? c - 'a' + 26
                           : c >= '0' && c <= '9' ? c - '0' + 52
                           : c == '+'             ? 62
                           : c == '/'             ? 63
                                                  : 64;
    require(value < 64, ErrorCode::config, where, ": the charsmap is not in base64");
    bits = bits << 6 | value;
    if (++count % 4 != 1) bytes += static_cast<char>(bits >> (6 - 2 * ((count - 1) % 4)));
  }
  require(text.size() % 4 == 0 && count % 4 != 1 && text.size() - end <= 2, ErrorCode::config, where,
          ": the charsmap is cut in the middle of its base64; fetch the file again");
  return bytes;
}

}  // namespace statera::tokenizers
