// The contexts of the next byte: hashes of what came before it, each with other parts of it.
#pragma once
#include <array>
#include <cstdint>

#include "counts/samples.hpp"
#include "counts/text.hpp"

namespace statera::counts {

enum ContextName : size_t {
  order1,  // the last byte; the last two; ...
  order2,
  order3,
  order4,
  order5,
  order6,
  order8,
  order11,
  order16,
  word,                  // the letters of this word and the last byte
  word_and_one,          // and the word before
  word_and_two,          // and the two before
  gap1_3,                // the bytes 1 and 3 before this one
  gap2_3,                // 2 and 3
  gap3_4,                // 3 and 4
  gap2,                  // 2
  column_above,          // the column, the byte above it in the line before, and the last byte
  above,                 // the byte above, and the last two
  record,                // the bytes one and two records before, and the place in the record
  structure,             // what came since the last bracket, quote or tag was opened
  follow_one,            // the last three bytes that came after the last byte earlier
  follow_two,            // the last two bytes that came after the last two
  kinds,                 // what kinds of bytes (letters, digits, ...) the last eight were, and the last byte
  sample_line,           // the sample that continues the last two of its channel in a line
  sample_expected_line,  // the sample that linear prediction expects, and the last one or the one in a line
  sample_expected,       // the expected sample, and how far such expectations are off
  sample_pair,           // the last two of the channel, coarse
  context_count
};

// A plain value that a Counts owns, and that follows its text: call advance() after every byte. Not thread safe.
class Contexts {
 public:
  void advance(const Text& text);  // after the text has got a byte; then the hashes are those of the next one
  const std::array<uint64_t, context_count>& hashes() const { return hashes_; }
  // What kinds of bytes (letters, digits, ...) the last three were, as a number below 256.
  uint32_t last_kinds() const { return last_kinds_; }
  static constexpr uint32_t columns = 256;
  uint32_t column() const { return column_; }  // bytes since the line began, below `columns`
  const Samples& samples() const { return samples_; }

  // Shows a Visitor all state that is saved, with the bounds of each number (counts_saved.cpp), as in other classes
  // here.
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor) {
    visitor(self.hashes_), visitor(self.words_), visitor(self.line_), visitor(self.line_before_);
    visitor(self.structure_), visitor.below(self.record_, self.gaps_.size()), visitor(self.gaps_), visitor(self.last_);
    visitor(self.after_one_), visitor(self.after_two_), visitor.below(self.last_kinds_, 256);
    visitor(self.all_kinds_), visitor(self.changes_), visitor.below(self.stride_, strides.size()),
        Samples::visit(self.samples_, visitor);
    visitor.below(self.column_, columns);
  }

 private:
  void find_record(const Text& text);
  uint64_t find_stride(const Text& text);
  void set_samples(const Text& text);
  void set(ContextName which, uint64_t hash);

  std::array<uint64_t, context_count> hashes_{};
  std::array<uint64_t, 3> words_{};      // hashes of this word (0: none has begun), the one before, and before that
  uint64_t line_ = 0, line_before_ = 0;  // where this line and the one before begin
  uint64_t structure_ = 0;               // the opening byte and the next five
  uint32_t record_ = 0;                  // how long a record seems to be; 0: unknown
  std::array<uint32_t, 512> gaps_{};     // [distance] how often a byte came again after it
  static constexpr std::array<uint32_t, 6> strides{1, 2, 3, 4, 6, 8};
  // [stride] how much a byte differs from the one so far before it, lately
  std::array<uint32_t, strides.size()> changes_{};
  uint32_t stride_ = 0;                      // which of them
  std::array<uint64_t, 256> last_{};         // [byte] the position after its last occurrence
  std::array<uint32_t, 256> after_one_{};    // [byte] the last three bytes that came after it
  std::array<uint32_t, 65536> after_two_{};  // [two bytes] the last two that came after them
  uint64_t all_kinds_ = 0;                   // of the last bytes, three bits each
  uint32_t last_kinds_ = 0, column_ = 0;
  Samples samples_;
};

}  // namespace statera::counts
