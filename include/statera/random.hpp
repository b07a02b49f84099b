// Counter-based random numbers (Philox4x32-10; Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011). Each number is a function of (seed, stream, index), so neither the order in which tensors are filled
// nor the number of threads matters. A Random is an immutable value and thread-safe.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace statera {

struct PhiloxConstants {
  static constexpr uint32_t multiply[] = {0xD2511F53, 0xCD9E8D57}, add[] = {0x9E3779B9, 0xBB67AE85};
  static constexpr int rounds = 10;
};
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) noexcept;

class Random {
 public:
  Random(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  Random(uint64_t seed, std::string_view stream_name);  // the stream is a hash (FNV-1a) of the name

  // with key(), the input of philox(), for kernels that draw many numbers
  std::array<uint32_t, 4> counter(uint64_t index) const noexcept;
  std::array<uint32_t, 2> key() const noexcept;
  std::array<uint32_t, 4> words(uint64_t index) const noexcept { return philox(counter(index), key()); }
  uint32_t bits(uint64_t index) const noexcept { return words(index)[0]; }
  double uniform(uint64_t index) const noexcept;  // in (0, 1), without the ends
  double normal(uint64_t index) const noexcept;   // mean 0, standard deviation 1

 private:
  uint64_t seed_, stream_;
};

}  // namespace statera
