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

// After it, the coefficients still find what the samples are made of.
void expect_it_still_learns(LeastSquares& model, double off_at_most) {
  std::array<double, LeastSquares::taps> x{};
  Noise noise;
  double last = 0, off = 0;
  for (int t = 0; t < 4000; ++t) {
    std::copy_backward(x.begin(), x.end() - 1, x.end());
    x[0] = last;
    const double came = 0.9 * last + noise.next(), error = came - model.predict(x);
    if (t >= 3000) off += error * error / 1000;
    model.learn(x, error), last = came;
  }
  EXPECT_LT(off, off_at_most);
}
constexpr double variance = 1.0 / 12;  // of the noise; about 500 samples fit 64 coefficients

TEST(LeastSquares, SilenceChangesNothing) {
  LeastSquares model, silent;
  std::array<double, LeastSquares::taps> x{}, zeros{};
  x[3] = 2;
  model.learn(x, 1), silent.learn(x, 1);
  for (int t = 0; t < 100000; ++t) silent.learn(zeros, 0);
  x[4] = -7;
  model.learn(x, 3), silent.learn(x, 3);
  EXPECT_EQ(model.predict(x), silent.predict(x));
  expect_it_still_learns(silent, 1.3 * variance);
}

// In a constant, 63 of 64 directions do not occur, and what is known of them would grow without bound.
TEST(LeastSquares, AConstantDoesNotSpoilIt) {
  for (const int count : {5000, 20000, 100000, 400000}) {
    LeastSquares model;
    std::array<double, LeastSquares::taps> x;
    x.fill(5);
    for (int t = 0; t < count; ++t) model.learn(x, 5 - model.predict(x));
    EXPECT_NEAR(model.predict(x), 5, 1e-6) << count;
    expect_it_still_learns(model, 1.3 * variance);
  }
}

Samples after(const Bytes& bytes, size_t count, uint64_t stride) {
  Samples samples;
  Text text(1 << 17);
  for (size_t t = 0; t < count; ++t) text.add(bytes[t]), samples.advance(text, stride);
  return samples;
}

// Bits per byte of the last half, by samples alone.
double samples_alone(const Bytes& bytes, uint64_t stride, size_t scale = 1) {
  Samples samples;
  Text text(1 << 17);
  double bits = 0;
  for (size_t t = 0; t < bytes.size(); ++t) {
    if (t >= bytes.size() / 2)
      for (uint32_t shift = 8; shift-- > 0;) {
        const double one = samples.p((256u | bytes[t]) >> (shift + 1), scale) / 65536.0;
        bits -= std::log2(bytes[t] >> shift & 1 ? one : 1 - one);
      }
    text.add(bytes[t]), samples.advance(text, stride);
  }
  return bits / static_cast<double>(bytes.size() - bytes.size() / 2);
}

// The tones cross zero many times, so all bits of both bytes and both signs occur.
TEST(Samples, TonesCostTheirNoise) {
  for (size_t scale = 0; scale < Samples::scales; ++scale) {
    EXPECT_LT(samples_alone(eight_bits(20000, 8), 1, scale), std::log2(8) + 0.6) << scale;
    EXPECT_LT(samples_alone(sixteen_bits(10000, 64), 4, scale), std::log2(64) / 2 + 0.35) << scale;
  }
  EXPECT_LT(samples_alone(sixteen_bits(10000, 4), 4), std::log2(4) / 2 + 0.35);
  EXPECT_LT(samples_alone(sixteen_bits(10000, 64), 8), std::log2(64) / 2 + 0.45);  // as four channels
}

// The other strides: the same tone in each channel of its own height.
TEST(Samples, EveryStrideIsFollowed) {
  for (const uint64_t stride : {1, 2, 3, 4, 6, 8}) {
    const bool wide = stride % 2 == 0;
    const uint64_t channels = wide ? stride / 2 : stride;
    Bytes bytes;
    for (size_t t = 0; t < 4000; ++t)
      for (uint64_t channel = 0; channel < channels; ++channel) {
        const double tone = tones(static_cast<double>(t), 1) * static_cast<double>(channel + 1);
        const auto sample = static_cast<uint16_t>(static_cast<int16_t>(std::lround(tone * (wide ? 8000 : 30))));
        if (!wide) {
          bytes.push_back(static_cast<uint8_t>(sample + 128));
          continue;
        }
        bytes.push_back(static_cast<uint8_t>(sample)), bytes.push_back(static_cast<uint8_t>(sample >> 8));
      }
    EXPECT_LT(samples_alone(bytes, stride), 1.7) << stride;
  }
}

// Both sides of a middle sample are equally likely, and what is certain is said with certainty.
TEST(Samples, ExpectationsAreInTheMiddle) {
  const Bytes bytes = sixteen_bits(10000, 0);
  size_t upper_sure = 0;
  for (size_t t = 0; t < 40; ++t) {
    const size_t count = bytes.size() - 1 - 2 * t;  // the upper byte is the next one
    const Samples samples = after(bytes, count, 4);
    double p = 1;
    for (uint32_t shift = 8; shift-- > 0;) {
      const double one = samples.p((256u | bytes[count]) >> (shift + 1), 1) / 65536.0;
      p *= bytes[count] >> shift & 1 ? one : 1 - one;
    }
    upper_sure += p > 0.99 ? 1 : 0;
  }
  EXPECT_GE(upper_sure, 38u);
}

// In silence a step up and a step down are equally likely, although the bytes 1 and 255 are far apart.
TEST(Samples, StepsUpAndDownAreAlike) {
  const Samples samples = after(Bytes(2000, 0), 2000, 2);
  const auto chance = [&](uint32_t byte) {
    double p = 1;
    for (uint32_t shift = 8; shift-- > 0;) {
      const double one = samples.p((256u | byte) >> (shift + 1), 1) / 65536.0;
      p *= byte >> shift & 1 ? one : 1 - one;
    }
    return p;
  };
  EXPECT_NEAR(chance(1) / chance(255), 1, 0.01);
  EXPECT_GT(chance(0), 1.5 * chance(1));
}

// A wave that is cut off at the limits says nothing of how far it would have gone, and one that wraps does.
TEST(Samples, WavesBeyondTheRange) {
  Bytes cut, wrapped;
  for (int t = 0; t < 40000; ++t) {
    const double wave = 160 * std::sin(0.05 * t);
    cut.push_back(static_cast<uint8_t>(std::lround(128 + std::clamp(wave, -128.0, 127.0))));
    const auto ramp = static_cast<uint16_t>(t * 7);
    wrapped.push_back(static_cast<uint8_t>(ramp)), wrapped.push_back(static_cast<uint8_t>(ramp >> 8));
  }
  EXPECT_LT(samples_alone(cut, 1), 0.55);
  EXPECT_LT(samples_alone(wrapped, 2), 2);
}

TEST(Samples, AnotherStrideStartsOver) {
  Samples samples = after(eight_bits(3000, 1), 3000, 1), fresh;
  Text text(1 << 16);
  text.add(7);
  samples.advance(text, 2), fresh.advance(text, 2);
  for (uint32_t prefix = 1; prefix < 256; ++prefix) EXPECT_EQ(samples.p(prefix, 0), fresh.p(prefix, 0));
}

// Noise that is uniform over w steps costs log2 w bits; tones cost nothing once they are known.
TEST(Samples, SoundCostsLittleMoreThanItsNoise) {
  const Bytes narrow = eight_bits(30000, 8), wide = sixteen_bits(15000, 64);
  EXPECT_LT(bits_per_byte(narrow, true), std::log2(8) + 0.6);
  EXPECT_GT(bits_per_byte(narrow, false), std::log2(8) + 1);
  EXPECT_LT(bits_per_byte(wide, true), std::log2(64) / 2 + 0.4);
  EXPECT_GT(bits_per_byte(wide, false), std::log2(64) / 2 + 1);
}

// In the middle of sound, at each byte of a frame of two channels.
TEST(Samples, ARestoredModelGoesOnAsTheSavedOne) {
  const Bytes bytes = sixteen_bits(1000, 30);
  for (size_t read = 3000; read < 3004; ++read) {
    Counts model({.memory_bytes = int64_t{16} << 20});
    for (size_t t = 0; t < read; ++t) model.code(bytes[t]);
    const std::string saved = model.save();
    Counts restored = Counts::restore({reinterpret_cast<const uint8_t*>(saved.data()), saved.size()});
    for (size_t t = read; t < read + 200; ++t) ASSERT_EQ(model.code(bytes[t]).all, restored.code(bytes[t]).all) << t;
    EXPECT_EQ(model.save(), restored.save());
  }
}

}  // namespace
}  // namespace statera
