// An earlier place where the text ended as it does now, and the byte that followed there.
#pragma once
#include <cstdint>

#include "counts/text.hpp"

namespace statera::counts {

// Owns the table of places, but not the text: all calls must get the same one. Not thread safe.
class Match {
 public:
  // shortest: bytes that must agree; places: how many places are remembered, by a hash of the bytes before them
  Match(size_t shortest, size_t places) : shortest_(shortest), places_(places) {}

  void advance(const Text& text);  // after the text has got a byte

  // Whether there is such a place. It is kept for a while after it was wrong: a change in a line or a gene is often
  // short.
  bool found() const { return from_ > 0; }
  uint8_t expected(const Text& text) const { return text[from_]; }
  static constexpr uint32_t situations = 64;
  // 0 to 31: the length in steps, where it was right lately; 32 to 63: how often it was wrong, and the length since
  uint32_t situation() const;

  size_t bytes() const { return places_.size() * sizeof(uint32_t); }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor(self.places_), visitor(self.from_), visitor(self.length_), visitor(self.wrong_);
  }

 private:
  void look(const Text& text, uint32_t place);

  size_t shortest_;
  Zeroed<uint32_t> places_;  // [hash] the low 32 bits of a position; 0: none
  uint64_t from_ = 0;        // the position of the expected byte; 0: none
  uint32_t length_ = 0;      // bytes before it that agree, as far as is known
  uint32_t wrong_ = 0;       // whether the last eight expected bytes were wrong, the latest lowest
};

}  // namespace statera::counts
