// 64-bit hashes that tell whether data or weights are those that a file was made with. They are not cryptographic:
// anybody can construct two inputs with the same hash.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace statera {

constexpr uint64_t mix_fingerprint(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

inline uint64_t mix_fingerprint(uint64_t hash, std::span<const uint8_t> bytes) {
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, &bytes[i], 8);
    hash = mix_fingerprint(hash, word);
  }
  for (; i < bytes.size(); ++i) hash = mix_fingerprint(hash, uint64_t{bytes[i]});
  return hash;
}

// A hash of bytes that arrive in pieces; where they are cut does not matter. A change within one aligned word of eight
// bytes always changes the value; any other change goes unnoticed with probability 2^-64. A plain value; not thread
// safe.
class Checksum {
 public:
  void add(const void* data, size_t bytes) {
    auto* from = static_cast<const uint8_t*>(data);
    total_ += bytes;
    while (bytes > 0) {
      size_t taken = bytes / sizeof(word_) * sizeof(word_);
      if (pending_ == 0 && taken > 0) {
        hash_ = mix_fingerprint(hash_, std::span(from, taken));
      } else {
        taken = std::min(bytes, sizeof(word_) - pending_);
        std::memcpy(word_ + pending_, from, taken);
        pending_ = (pending_ + taken) % sizeof(word_);
        if (pending_ == 0) hash_ = mix_fingerprint(hash_, word_);
      }
      from += taken;
      bytes -= taken;
    }
  }
  uint64_t value() const {
    return mix_fingerprint(mix_fingerprint(hash_, std::span(word_, pending_)), uint64_t{total_});
  }

 private:
  uint64_t hash_ = 0;
  size_t total_ = 0, pending_ = 0;
  uint8_t word_[8] = {};  // the `pending_` bytes after the last whole word
};

inline std::string fingerprint_text(uint64_t value) {  // 16 hexadecimal digits
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[value >> shift & 15];
  return text;
}

}  // namespace statera
