#include "tokenizers/byte_trie.hpp"

#include <algorithm>

namespace statera::tokenizers {

ByteTrie::ByteTrie(std::vector<std::pair<std::string_view, int32_t>> strings) {
  std::erase_if(strings, [](const auto& entry) { return entry.first.empty(); });
  if (strings.empty()) return;
  std::stable_sort(strings.begin(), strings.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  // Each node stands for strings [begin, end), which have their first `depth` bytes in common. Nodes are made level by
  // level, so that the children of one stand side by side.
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> ranges = {{0, strings.size(), 0}};
  nodes_.push_back({0, 0, 0, -1});
  for (size_t node = 0; node < nodes_.size(); ++node) {
    const Range range = ranges[node];
    size_t begin = range.begin;
    for (; begin < range.end && strings[begin].first.size() == range.depth; ++begin)
      nodes_[node].value = strings[begin].second;
    nodes_[node].first = static_cast<uint32_t>(nodes_.size());
    while (begin < range.end) {
      const char byte = strings[begin].first[range.depth];
      size_t end = begin + 1;
      while (end < range.end && strings[end].first[range.depth] == byte) ++end;
      nodes_.push_back({0, 0, static_cast<uint8_t>(byte), -1});
      ranges.push_back({begin, end, range.depth + 1});
      ++nodes_[node].children;
      begin = end;
    }
  }
  for (uint32_t i = 0; i < nodes_[0].children; ++i) root_[nodes_[nodes_[0].first + i].byte] = nodes_[0].first + i;
}

}  // namespace statera::tokenizers
