// A number of 64 bits that tells bytes from other bytes: whether data or weights are those that a file was made with. No protection against
// somebody who looks for two that have the same.
#pragma once
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

inline std::string fingerprint_text(uint64_t value) {  // 16 hexadecimal digits
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[value >> shift & 15];
  return text;
}

}  // namespace statera
