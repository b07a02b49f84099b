#include "statera/random.hpp"

#include <cmath>
#include <numbers>

namespace statera {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) noexcept {
  using P = PhiloxConstants;
  for (int round = 0; round < P::rounds; ++round) {
    const uint64_t p0 = uint64_t{P::multiply[0]} * c[0], p1 = uint64_t{P::multiply[1]} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k[0] += P::add[0];
    k[1] += P::add[1];
  }
  return c;
}

namespace {
uint64_t hash(std::string_view name) {
  uint64_t h = 0xcbf29ce484222325;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}
double open_unit(uint32_t hi, uint32_t lo) {
  return (static_cast<double>(uint64_t{hi} << 20 ^ lo >> 12) + 0.5) * 0x1p-52;
}
}  // namespace

Random::Random(uint64_t seed, std::string_view name) : seed_(seed), stream_(hash(name)) {}

std::array<uint32_t, 4> Random::counter(uint64_t index) const noexcept {
  return {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), static_cast<uint32_t>(stream_),
          static_cast<uint32_t>(stream_ >> 32)};
}

std::array<uint32_t, 2> Random::key() const noexcept {
  return {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)};
}

double Random::uniform(uint64_t index) const noexcept {
  const auto b = words(index);
  return open_unit(b[0], b[1]);
}

double Random::normal(uint64_t index) const noexcept {
  const auto b = words(index);
  return std::sqrt(-2 * std::log(open_unit(b[0], b[1]))) * std::cos(2 * std::numbers::pi * open_unit(b[2], b[3]));
}

}  // namespace statera
