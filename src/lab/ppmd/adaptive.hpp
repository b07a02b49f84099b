// The two tables from which PPMd learns how often a context fails to predict: one for contexts that have seen one
// symbol, one for escapes from all others. All are plain values that a Ppmd owns; a copy of it copies them.
#pragma once
#include <array>
#include <cstdint>

namespace statera::ppmd {

// The probability, in units of 2^-14, that the only symbol of a context comes again. Each outcome moves it by 1/128 of
// the difference.
class Binary {
 public:
  static constexpr uint32_t one = 1 << 14;

  double again() const { return static_cast<double>(value_) / one; }
  void set(uint32_t value) { value_ = static_cast<uint16_t>(value); }
  void learn(bool came) { value_ = static_cast<uint16_t>(value_ - mean() + (came ? 1 << rate : 0)); }
  // The count of an escape in a context that now has two symbols: the smaller, the more likely the first symbol was.
  uint32_t escape_count() const {
    constexpr std::array<uint8_t, 16> counts{25, 14, 9, 7, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 2};
    return counts[value_ >> 10];
  }

 private:
  static constexpr int rate = 7;
  uint32_t mean() const { return (value_ + (1u << (rate - 2))) >> rate; }
  uint16_t value_ = 0;
};

// [frequency of the symbol - 1][6 bits about its surroundings]
class BinaryTable {
 public:
  void clear() {
    constexpr std::array<uint16_t, 8> start{0x3CDD, 0x1F3F, 0x59BF, 0x48F3, 0x64A1, 0x5ABC, 0x6632, 0x6051};
    for (uint32_t i = 0; i < cells_.size(); ++i)
      for (uint32_t k = 0; k < cells_[i].size(); ++k) cells_[i][k].set(Binary::one - start[k % start.size()] / (i + 2));
  }
  Binary& at(uint32_t frequency, uint32_t around) { return cells_[frequency - 1][around]; }
  const Binary& at(uint32_t frequency, uint32_t around) const { return cells_[frequency - 1][around]; }

 private:
  std::array<std::array<Binary, 64>, 128> cells_;
};

// Secondary escape estimation (SEE): a running mean of the total count at which escapes happened. It is stored as a sum
// scaled by 2^shift; its window grows with the number of observations.
class Escape {
 public:
  static constexpr int longest = 7;

  void start(uint32_t mean) { sum_ = static_cast<uint16_t>(mean << 3), shift_ = 3, left_ = 4; }
  // The count of an escape now, at least 1. Subtracts its share from the sum; escaped() then adds a new one, found()
  // adds none.
  uint32_t take() {
    const uint32_t count = sum_ >> shift_;
    sum_ = static_cast<uint16_t>(sum_ - count);
    return count == 0 ? 1 : count;
  }
  void escaped(uint32_t total) { sum_ = static_cast<uint16_t>(sum_ + total); }
  void found() {
    if (shift_ < longest && --left_ == 0) {
      sum_ = static_cast<uint16_t>(sum_ << 1);
      left_ = static_cast<uint8_t>(3 << shift_++);
    }
  }

 private:
  uint16_t sum_ = 0;
  uint8_t shift_ = 0, left_ = 0;
};

// [class of the number of symbols that may still come][4 bits about the surroundings]
class EscapeTable {
 public:
  void clear() {
    for (uint32_t i = 0; i < cells_.size(); ++i)
      for (Escape& cell : cells_[i]) cell.start(5 * i + 10);
  }
  // symbols: 1 to 255
  const Escape& at(uint32_t symbols, uint32_t around) const { return cells_[classes[symbols - 1]][around]; }
  Escape& at(uint32_t symbols, uint32_t around) { return cells_[classes[symbols - 1]][around]; }

 private:
  // The sizes of the classes are 1, 1, 1, 1, 2, 3, 4, ...
  static constexpr std::array<uint8_t, 255> classes = [] {
    std::array<uint8_t, 255> of{};
    uint8_t number = 0;
    int left = 1;
    for (uint8_t& c : of) {
      c = number;
      if (--left == 0) left = ++number < 4 ? 1 : number - 2;
    }
    return of;
  }();
  std::array<std::array<Escape, 16>, 25> cells_;
};

}  // namespace statera::ppmd
