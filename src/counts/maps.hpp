// Adaptive probabilities: what a situation (a history, the length of a match) has meant so far. Both classes are plain
// values that own their numbers; p() may be called from several threads while nobody calls learn().
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "counts/logistic.hpp"

namespace statera::counts {

// A probability with 22 bits, and how often it was asked, up to a limit. The first answers move it far, later ones by 1
// / (limit + 1.5) of the difference.
class Cell {
 public:
  Cell() : Cell(32768) {}
  explicit Cell(uint32_t p) : value_(p << 16) {}  // p: 16 bits

  uint32_t p() const { return std::max(value_ >> 16, 1u); }  // 16 bits, 1 to 65535
  void learn(uint32_t bit, uint32_t limit) {
    const uint32_t asked = value_ & most_asked;
    const auto p = static_cast<int64_t>(value_ >> 10);
    const int64_t target = bit ? (1 << 22) - 1 : 0;
    const auto moved = static_cast<uint32_t>(p + (((target - p) * rates[asked]) >> 16));
    value_ = moved << 10 | (asked < limit ? asked + 1 : asked);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor(self.value_);
  }

 private:
  static constexpr uint32_t most_asked = 1023;
  static constexpr std::array<uint16_t, most_asked + 1> rates = [] {  // 2^16 / (asked + 1.5)
    std::array<uint16_t, most_asked + 1> made{};
    for (uint32_t n = 0; n < made.size(); ++n) made[n] = static_cast<uint16_t>((uint32_t{1} << 17) / (2 * n + 3));
    return made;
  }();
  uint32_t value_;
};

// Secondary estimation: a probability, corrected by what came when it was given before in the same context. It is kept
// at points that are equally far apart in the logistic domain; between them it is a straight line.
class Refinement {
 public:
  explicit Refinement(size_t contexts) {
    std::array<uint16_t, points> same;
    for (int32_t j = 0; j < points; ++j)
      same[static_cast<size_t>(j)] = static_cast<uint16_t>(squash(logistic(), (j - points / 2) * distance));
    values_.reserve(contexts * points);
    for (size_t c = 0; c < contexts; ++c) values_.insert(values_.end(), same.begin(), same.end());
  }
  struct Place {
    uint32_t lower = 0;  // the point below
    uint32_t part = 0;   // how far it is from there, of `distance`
  };
  Place place(size_t context, int32_t x) const {
    constexpr int32_t limit = distance * (points / 2);
    const auto from = static_cast<uint32_t>(std::clamp(x, -limit, limit - 1) + limit);
    return {static_cast<uint32_t>(context * points) + from / distance, from % distance};
  }
  uint32_t p(const Place& at) const {
    return (values_[at.lower] * (distance - at.part) + values_[at.lower + 1] * at.part) / distance;
  }
  void learn(const Place& at, uint32_t bit) {
    uint16_t& nearer = values_[at.lower + (at.part >= distance / 2 ? 1 : 0)];
    nearer = static_cast<uint16_t>(nearer + (((bit ? 65535 : 0) - nearer) >> rate));
  }
  size_t bytes() const { return values_.size() * sizeof(uint16_t); }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor(self.values_);
  }

 private:
  static constexpr int32_t points = 25, distance = 232;  // 12 * 232 = 2784, about stretch(65535)
  static constexpr int rate = 5;
  std::vector<uint16_t> values_;  // [context][point]
};

}  // namespace statera::counts
