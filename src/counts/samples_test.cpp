#include "counts/samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "counts/counts.hpp"

namespace statera {
namespace {

using namespace counts;
using Bytes = std::vector<uint8_t>;

class Noise {
 public:
  double next() {  // -0.5 to 0.5
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state_ >> 40) / (1 << 24) - 0.5;
  }

 private:
  uint64_t state_ = 1;
};

// Two tones, of `size` in all, and noise.
double tones(double t, double size) {
  return size / 2 * (std::sin(0.1 * t) + std::sin(0.037 * t + 1)) * std::numbers::inv_sqrt3;
}

Bytes eight_bits(size_t count, double noise) {
  Noise source;
  Bytes bytes;
  for (size_t t = 0; t < count; ++t)
    bytes.push_back(
        static_cast<uint8_t>(std::lround(128 + tones(static_cast<double>(t), 100) + noise * source.next())));
  return bytes;
}

// Two channels, of which the second is the first, later and softer.
Bytes sixteen_bits(size_t count, double noise) {
  Noise source;
  Bytes bytes;
  for (size_t t = 0; t < count; ++t)
    for (const double value : {tones(static_cast<double>(t), 20000), tones(static_cast<double>(t) - 3, 12000)}) {
      const auto sample = static_cast<uint16_t>(static_cast<int16_t>(std::lround(value + noise * source.next())));
      bytes.push_back(static_cast<uint8_t>(sample)), bytes.push_back(static_cast<uint8_t>(sample >> 8));
    }
  return bytes;
}

double bits_per_byte(const Bytes& bytes, bool samples) {
  CountsOptions options{.memory_bytes = int64_t{16} << 20};
  options.parts.samples = samples;
  Counts model(options);
  double bits = 0;
  for (const uint8_t byte : bytes) bits += model.code(byte).all;
  return bits / static_cast<double>(bytes.size());
}

// The algorithm as it stands in books, element by element.
TEST(LeastSquares, FollowsTheEquations) {
  constexpr size_t taps = LeastSquares::taps;
  constexpr long double kept = 0.998L;
  LeastSquares fast;
  std::vector<long double> w(taps), P(taps * taps);
  for (size_t i = 0; i < taps; ++i) P[i * taps + i] = 1;
  Noise noise;
  for (int t = 0; t < 300; ++t) {
    std::array<double, taps> x;
    for (double& value : x) value = 20 * noise.next();
    const double target = 3 * x[0] - x[5] + noise.next();
    long double said = 0;
    for (size_t i = 0; i < taps; ++i) said += w[i] * x[i];
    ASSERT_NEAR(fast.predict(x), static_cast<double>(said), 1e-9) << t;
    const double error = target - fast.predict(x);
    std::vector<long double> Px(taps);
    for (size_t i = 0; i < taps; ++i)
      for (size_t j = 0; j < taps; ++j) Px[i] += P[i * taps + j] * x[j];
    long double energy = 0;
    for (size_t i = 0; i < taps; ++i) energy += x[i] * Px[i];
    for (size_t i = 0; i < taps; ++i) w[i] += Px[i] / (kept + energy) * error;
    for (size_t i = 0; i < taps; ++i)
      for (size_t j = 0; j < taps; ++j) P[i * taps + j] = (P[i * taps + j] - Px[i] * Px[j] / (kept + energy)) / kept;
    fast.learn(x, error);
  }
}

TEST(LeastSquares, SilenceAndConstantsDoNotSpoilIt) {
  LeastSquares model;
  std::array<double, LeastSquares::taps> x{};
  for (int t = 0; t < 20000; ++t) model.learn(x, 0);
  x.fill(5);
  for (int t = 0; t < 20000; ++t) model.learn(x, 5 - model.predict(x));
  EXPECT_NEAR(model.predict(x), 5, 1e-6);
  Noise noise;
  double last = 0, off = 0;
  for (int t = 0; t < 4000; ++t) {
    std::copy_backward(x.begin(), x.end() - 1, x.end());
    x[0] = last;
    const double came = 0.9 * last + noise.next(), error = came - model.predict(x);
    if (t >= 3000) off += error * error / 1000;
    model.learn(x, error), last = came;
  }
  EXPECT_LT(off, 1.3 / 12);  // the variance of the noise is 1/12; about 500 samples fit 64 coefficients
}

// Whatever the stride and the byte of the sample, the probabilities of the bits make a distribution over 256 bytes, and
// the expected byte is among the likely ones.
TEST(Samples, SayWhatIsExpected) {
  for (const auto& [bytes, stride] : {std::pair(eight_bits(3000, 1), 1), {sixteen_bits(1500, 30), 4}}) {
    Samples samples;
    Text text(1 << 16);
    for (size_t t = 0; t < bytes.size(); ++t) {
      if (t >= bytes.size() - 4)
        for (size_t scale = 0; scale < Samples::scales; ++scale) {
          std::array<double, 512> p{};
          p[1] = 1;
          for (uint32_t prefix = 1; prefix < 256; ++prefix) {
            const double one = samples.p(prefix, scale) / 65536.0;
            p[2 * prefix] = p[prefix] * (1 - one), p[2 * prefix + 1] = p[prefix] * one;
          }
          const double likely = *std::max_element(p.begin() + 256, p.end());
          EXPECT_GT(p[256u + bytes[t]], likely / 10) << "stride " << stride << ", byte " << t << ", scale " << scale;
        }
      text.add(bytes[t]);
      samples.advance(text, static_cast<uint64_t>(stride));
    }
  }
}

// Noise that is uniform over w steps costs log2 w bits; tones cost nothing once they are known.
TEST(Samples, SoundCostsLittleMoreThanItsNoise) {
  const Bytes narrow = eight_bits(30000, 8), wide = sixteen_bits(15000, 64);
  EXPECT_LT(bits_per_byte(narrow, true), std::log2(8) + 0.6);
  EXPECT_GT(bits_per_byte(narrow, false), std::log2(8) + 1);
  EXPECT_LT(bits_per_byte(wide, true), std::log2(64) / 2 + 0.4);
  EXPECT_GT(bits_per_byte(wide, false), std::log2(64) / 2 + 1);
}

TEST(Samples, AnotherStrideStartsOver) {
  const Bytes bytes = eight_bits(3000, 1);
  Samples samples, fresh;
  Text text(1 << 16);
  for (const uint8_t byte : bytes) text.add(byte), samples.advance(text, 1);
  text.add(7);
  samples.advance(text, 2), fresh.advance(text, 2);
  for (uint32_t prefix = 1; prefix < 256; ++prefix) EXPECT_EQ(samples.p(prefix, 0), fresh.p(prefix, 0));
}

}  // namespace
}  // namespace statera
