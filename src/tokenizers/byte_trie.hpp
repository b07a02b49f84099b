// Strings with values, to find those that a text begins with. Immutable once built; thread-safe.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace statera::tokenizers {

class ByteTrie {
 public:
  ByteTrie() = default;
  // Of equal strings the last one counts. Empty ones are left out.
  explicit ByteTrie(std::vector<std::pair<std::string_view, int32_t>> strings);
  bool empty() const { return nodes_.empty(); }
  bool may_begin(char first) const { return !empty() && root_[static_cast<uint8_t>(first)] != 0; }

  // Calls found(size, value) for all strings that the text begins with, shortest first.
  template <class Use>
  void each(std::string_view text, Use found) const {
    if (text.empty() || empty()) return;
    uint32_t at = root_[static_cast<uint8_t>(text[0])];
    for (size_t size = 1; at != 0; ++size) {
      if (nodes_[at].value >= 0) found(size, nodes_[at].value);
      if (size == text.size()) return;
      at = child(at, static_cast<uint8_t>(text[size]));
    }
  }
  struct Found {
    size_t size = 0;  // 0: none
    int32_t value = -1;
  };
  Found longest(std::string_view text) const {
    Found best;
    each(text, [&](size_t size, int32_t value) { best = {size, value}; });
    return best;
  }

 private:
  struct Node {
    uint32_t first;  // its first child; they stand one after the other, by byte
    uint16_t children;
    uint8_t byte;
    int32_t value;  // -1: no string ends here
  };
  uint32_t child(uint32_t node, uint8_t byte) const {
    const Node *begin = nodes_.data() + nodes_[node].first, *end = begin + nodes_[node].children;
    while (end - begin > 8) {  // few nodes have many children
      const Node* middle = begin + (end - begin) / 2;
      (middle->byte <= byte ? begin : end) = middle;
    }
    for (; begin < end; ++begin)
      if (begin->byte == byte) return static_cast<uint32_t>(begin - nodes_.data());
    return 0;
  }

  std::vector<Node> nodes_;              // 0 is the root
  std::array<uint32_t, 256> root_ = {};  // the root's children by byte
};

}  // namespace statera::tokenizers
