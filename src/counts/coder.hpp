// An arithmetic coder of bits (Witten, Neal and Cleary 1987, in the binary form of Mahoney 2005). The interval has 64
// bits, so that a probability with 16 bits is met almost exactly. Neither class is thread safe.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace statera::counts {

// The part of [low, high] that stands for a 1; p: 1 to 65535, in units of 2^-16.
constexpr uint64_t split(uint64_t low, uint64_t high, uint32_t p) { return low + ((high - low) >> 16) * p; }
constexpr bool same_first_byte(uint64_t low, uint64_t high) { return (low ^ high) >> 56 == 0; }

// Owns the bytes that it has written, until finish() hands them over.
class Encoder {
 public:
  void code(uint32_t p, bool one) {
    const uint64_t middle = split(low_, high_, p);
    (one ? high_ : low_) = one ? middle : middle + 1;
    for (; same_first_byte(low_, high_); low_ <<= 8, high_ = high_ << 8 | 255)
      out_.push_back(static_cast<uint8_t>(high_ >> 56));
  }
  // Writes as few bytes as tell where the interval is, if zeros follow. Returns all bytes and starts again.
  std::vector<uint8_t> finish() {
    uint64_t kept = 0;  // the mask of the bytes that are written
    for (int shift = 56; (high_ & kept) < low_; shift -= 8) {
      kept |= uint64_t{255} << shift;
      out_.push_back(static_cast<uint8_t>(high_ >> shift));
    }
    low_ = 0, high_ = UINT64_MAX;
    return std::exchange(out_, {});
  }

 private:
  uint64_t low_ = 0, high_ = UINT64_MAX;
  std::vector<uint8_t> out_;
};

// Reads what an Encoder wrote, with the same probabilities in the same order. After the end it reads zeros, so any
// bytes decode to something. Borrows the bytes.
class Decoder {
 public:
  explicit Decoder(std::span<const uint8_t> bytes) : bytes_(bytes) {
    for (int i = 0; i < 8; ++i) value_ = value_ << 8 | next();
  }
  bool decode(uint32_t p) {
    const uint64_t middle = split(low_, high_, p);
    const bool one = value_ <= middle;
    (one ? high_ : low_) = one ? middle : middle + 1;
    for (; same_first_byte(low_, high_); low_ <<= 8, high_ = high_ << 8 | 255) value_ = value_ << 8 | next();
    return one;
  }

 private:
  uint8_t next() { return read_ < bytes_.size() ? bytes_[read_++] : uint8_t{0}; }

  std::span<const uint8_t> bytes_;
  size_t read_ = 0;
  uint64_t low_ = 0, high_ = UINT64_MAX, value_ = 0;
};

}  // namespace statera::counts
