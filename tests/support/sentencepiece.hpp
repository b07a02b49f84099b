// Writes a SentencePiece .model: a message of protocol buffers.
#pragma once
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace statera::test {

class SentencePieceModel {
 public:
  // kind: 1 unigram, 2 bpe, 3 words, 4 characters. Texts get no space before them.
  explicit SentencePieceModel(int kind) : trainer_(number(3, static_cast<uint64_t>(kind))) {}

  // type: 1 normal, 2 unknown, 3 control.
  SentencePieceModel& piece(std::string_view text, float score, int type = 1) {
    std::string real = tag(2, 5);
    const auto bits = std::bit_cast<uint32_t>(score);
    for (int byte = 0; byte < 4; ++byte) real += static_cast<char>((bits >> (8 * byte)) & 0xFF);
    pieces_ += field(1, field(1, text) + real + number(3, static_cast<uint64_t>(type)));
    return *this;
  }
  // `expected`: the pieces, joined by blanks.
  SentencePieceModel& example(std::string_view input, std::string_view expected) {
    examples_ += field(1, field(1, input) + field(2, expected));
    return *this;
  }
  std::string bytes() const {
    std::string all = pieces_ + field(2, trainer_) + field(3, number(3, 0));
    if (!examples_.empty()) all += field(4, examples_);
    return all;
  }

 private:
  static std::string varint(uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
    return out + static_cast<char>(value);
  }
  static std::string tag(uint64_t field, uint64_t wire) { return varint(field << 3 | wire); }
  static std::string number(uint64_t field, uint64_t value) { return tag(field, 0) + varint(value); }
  static std::string field(uint64_t field, std::string_view bytes) {
    return tag(field, 2) + varint(bytes.size()) + std::string(bytes);
  }
  std::string trainer_, pieces_, examples_;
};

}  // namespace statera::test
