#include "counts/counts.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/input_file.hpp"
#include "counts/history.hpp"
#include "support/error_of.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

using test::error_of;
using Bytes = std::vector<uint8_t>;

constexpr CountsOptions small{.memory_bytes = int64_t{16} << 20};

// A text that does not change.
const Bytes& licence() {
  static const Bytes bytes = [] {
    const std::string text = InputFile::open(test::source_path("LICENSE")).text(1 << 20);
    return Bytes(text.begin(), text.end());
  }();
  return bytes;
}

Bytes random_bytes(size_t size, uint32_t x = 1) {
  Bytes bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((x = x * 1664525 + 1013904223) >> 24);
  return bytes;
}

// Text, random bytes, one byte again and again, and a tone in samples of 16 bits.
Bytes motley() {
  Bytes bytes(licence().begin(), licence().begin() + 3000);
  const Bytes noise = random_bytes(1000);
  bytes.insert(bytes.end(), noise.begin(), noise.end());
  bytes.insert(bytes.end(), 500, 0);
  bytes.insert(bytes.end(), licence().begin() + 1000, licence().begin() + 2000);
  for (int t = 0, y = 9000, speed = 0; t < 1000; ++t) {
    speed -= y / 16, y += speed;
    const auto sample = static_cast<uint16_t>(y + noise[static_cast<size_t>(t)]);
    bytes.push_back(static_cast<uint8_t>(sample)), bytes.push_back(static_cast<uint8_t>(sample >> 8));
  }
  return bytes;
}

double bits_of(Counts& model, std::span<const uint8_t> text) {
  double bits = 0;
  for (const uint8_t byte : text) bits += model.code(byte).all;
  return bits;
}

// Follows both models over a text: every probability must be the same.
void expect_equal(Counts& a, Counts& b, std::span<const uint8_t> text) {
  for (size_t i = 0; i < text.size(); ++i) {
    a.begin_byte(), b.begin_byte();
    for (int shift = 7; shift >= 0; --shift) {
      ASSERT_EQ(a.p(), b.p()) << "byte " << i << ", bit " << shift;
      a.update(text[i] >> shift & 1), b.update(text[i] >> shift & 1);
    }
  }
}

// The outside opinion of somebody who is sure of a byte.
std::array<float, 256> sure_of(uint8_t byte, float p = 0.999f) {
  std::array<float, 256> all;
  all.fill((1 - p) / 255);
  all[byte] = p;
  return all;
}

// The sum of the probabilities of all bits that came, in units of 2^-16. It changes with any change of the arithmetic;
// whoever means to change it writes the new number here, and raises the versions of saved models and of compressed
// files.
TEST(Counts, HasTheSameBitsEverywhere) {
  Counts model(small);
  uint64_t sum = 0;
  for (const uint8_t byte : motley()) {
    model.begin_byte();
    for (int shift = 7; shift >= 0; --shift) {
      const bool one = byte >> shift & 1;
      sum += one ? model.p() : 65536 - model.p();
      model.update(one);
    }
  }
  EXPECT_EQ(sum, 3108761988u);
}

TEST(Counts, CostsLessThanThreeBitsPerByteOfTheLicence) {
  Counts model(small);
  const double per_byte = bits_of(model, licence()) / static_cast<double>(licence().size());
  EXPECT_LT(per_byte, 2.75);
  EXPECT_LT(bits_of(model, licence()) / static_cast<double>(licence().size()), 0.05) << "the second time";
}

TEST(Counts, DistributionIsWhatIsChargedAndSumsToOne) {
  Counts model({.memory_bytes = small.memory_bytes, .outside = 1});
  const Bytes text = motley();
  for (size_t i = 0; i < text.size(); ++i) {
    const auto expert = sure_of(text[i / 2], 0.3f);
    const std::array<std::span<const float, 256>, 1> outside{expert};
    const bool with = i % 3 != 0;
    if (i % 53 != 0) {
      model.code(text[i], with ? std::span(outside) : std::span<const std::span<const float, 256>>());
      continue;
    }
    model.begin_byte(with ? std::span(outside) : std::span<const std::span<const float, 256>>());
    const auto both = model.distribution(), alone = model.distribution(true);
    ASSERT_NEAR(std::accumulate(both.begin(), both.end(), 0.0), 1, 1e-12) << "byte " << i;
    ASSERT_NEAR(std::accumulate(alone.begin(), alone.end(), 0.0), 1, 1e-12) << "byte " << i;
    double p = 1, p_counts = 1;
    for (int shift = 7; shift >= 0; --shift) {
      const bool one = text[i] >> shift & 1;
      p *= (one ? model.p() : 65536 - model.p()) / 65536.0;
      p_counts *= (one ? model.p_counts() : 65536 - model.p_counts()) / 65536.0;
      model.update(one);
    }
    ASSERT_EQ(p, both[text[i]]) << "byte " << i;
    ASSERT_EQ(p_counts, alone[text[i]]) << "byte " << i;
    ASSERT_EQ(with, p != p_counts) << "byte " << i;
  }
}

TEST(Counts, ACopyGoesOnByItself) {
  const Bytes text = motley();
  Counts model(small), reference(small);
  bits_of(model, std::span(text).first(3000)), bits_of(reference, std::span(text).first(3000));
  Counts copy = model;
  bits_of(copy, random_bytes(500));
  expect_equal(model, reference, std::span(text).subspan(3000));
  copy = reference;
  expect_equal(copy, model, licence());
}

TEST(Counts, ARestoredModelGoesOnAsTheSavedOne) {
  const Bytes text = motley();
  CountsOptions options = small;
  options.parts.sparse = false;
  for (const int bits : {0, 1, 2, 4, 7}) {  // of a byte that was begun
    Counts model(options);
    bits_of(model, std::span(text).first(2000));
    if (bits > 0) model.begin_byte();
    for (int i = 0; i < bits; ++i) model.update(text[2000] >> (7 - i) & 1);
    const std::string saved = model.save();
    Counts restored = Counts::restore({reinterpret_cast<const uint8_t*>(saved.data()), saved.size()});
    EXPECT_EQ(restored.options().parts.sparse, false);
    EXPECT_EQ(restored.save(), saved);
    for (int i = bits; bits > 0 && i < 8; ++i) {
      ASSERT_EQ(model.p(), restored.p()) << bits;
      const int bit = text[2000] >> (7 - i) & 1;
      model.update(bit), restored.update(bit);
    }
    expect_equal(model, restored, std::span(text).subspan(2001, 500));
  }
}

TEST(Counts, ADamagedOrForeignModelIsAnError) {
  Counts model(small);
  bits_of(model, std::span(licence()).first(200));
  const std::string saved = model.save();
  const auto restore = [](std::string bytes) {
    return error_of([&] { Counts::restore({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}); });
  };
  EXPECT_EQ(restore(saved), "");
  EXPECT_EQ(restore(""), "[counts] these are not the bytes of a saved model: they do not begin with 'statera counts'");
  EXPECT_EQ(restore("GIF89a, of many bytes"), restore(""));
  for (const size_t size : {size_t{17}, size_t{23}, size_t{40}, saved.size() / 2, saved.size() - 1})
    EXPECT_NE(restore(saved.substr(0, size)), "") << size;
  for (const size_t at : {size_t{20}, size_t{50}, saved.size() / 2, saved.size() - 1}) {
    std::string changed = saved;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_EQ(restore(changed), "[counts] the saved model is damaged: its checksum is wrong; save it again") << at;
  }
  EXPECT_NE(restore(saved + "x"), "");
  std::string other = saved;
  other[15] = 99;
  EXPECT_NE(restore(other).find("has version 99 of the format"), std::string::npos) << restore(other);
}

TEST(Counts, StaysWithinItsBudget) {
  for (const int64_t memory : {int64_t{16} << 20, int64_t{17'000'000}, int64_t{100} << 20}) {
    Counts model({.memory_bytes = memory, .outside = 4});
    EXPECT_LE(model.memory_bytes(), memory);
    EXPECT_GT(model.memory_bytes(), memory * 3 / 4);
    bits_of(model, random_bytes(1000));
    EXPECT_LE(model.memory_bytes(), memory);
  }
}

TEST(Counts, RefusesOptionsOutOfRange) {
  EXPECT_EQ(error_of([] { Counts({.memory_bytes = 1 << 20}); }),
            "[counts] memory_bytes is 1048576: it must be between 16777216 (16 MiB) and 68719476736 (64 GiB)");
  EXPECT_NE(error_of([] { Counts({.memory_bytes = int64_t{1} << 50}); }), "");
  EXPECT_EQ(error_of([] { Counts({.memory_bytes = small.memory_bytes, .outside = 5}); }),
            "[counts] outside is 5: it must be between 0 and 4");
  EXPECT_NE(error_of([] { Counts({.memory_bytes = small.memory_bytes, .outside = -1}); }), "");
}

TEST(Counts, RefusesCallsOutOfOrderAndWhatIsNoProbability) {
  Counts model({.memory_bytes = small.memory_bytes, .outside = 1});
  EXPECT_NE(error_of([&] { model.update(1); }), "");
  EXPECT_NE(error_of([&] { model.distribution(); }), "");
  const auto expert = sure_of('a');
  const std::array<std::span<const float, 256>, 2> two{expert, expert};
  EXPECT_EQ(error_of([&] { model.begin_byte(two); }), "[counts] got 2 outside distributions: the options say 1");
  for (const float bad : {-0.1f, 1.5f, std::numeric_limits<float>::quiet_NaN()}) {
    auto wrong = expert;
    wrong[7] = bad;
    const std::array<std::span<const float, 256>, 1> one{wrong};
    EXPECT_NE(error_of([&] { model.begin_byte(one); }).find("the outside probability of byte 7 is"), std::string::npos);
  }
  model.begin_byte();
  model.update(1);
  EXPECT_EQ(error_of([&] { model.begin_byte(); }), "[counts] begin_byte within a byte: it still needs 7 bits");
  EXPECT_NE(error_of([&] { model.distribution(); }), "");
}

TEST(Counts, AnExpertThatKnowsTheByteMakesItNearlyFreeAndAWrongOneCostsLittle) {
  const auto cost = [](int offset, auto... more) {
    Counts model({.memory_bytes = small.memory_bytes, .outside = 1 + static_cast<int>(sizeof...(more))});
    CountsCost sum;
    for (size_t i = 0; i < licence().size(); ++i) {
      const auto expert = sure_of(static_cast<uint8_t>(licence()[i] + offset));
      const std::array<std::span<const float, 256>, 1 + sizeof...(more)> outside{expert,
                                                                                 (static_cast<void>(more), expert)...};
      const CountsCost byte = model.code(licence()[i], outside);
      sum.all += byte.all, sum.counts += byte.counts;
    }
    sum.all /= static_cast<double>(licence().size()), sum.counts /= static_cast<double>(licence().size());
    return sum;
  };
  Counts alone(small);
  const double counts = bits_of(alone, licence()) / static_cast<double>(licence().size());
  for (const CountsCost& right : {cost(0), cost(0, 1)}) {
    EXPECT_LT(right.all, 0.05);
    EXPECT_NEAR(right.counts, counts, 1e-9);  // learns as without
  }
  const CountsCost wrong = cost(1);
  EXPECT_LT(wrong.all, counts * 1.05 + 0.1);
}

TEST(Counts, DegenerateDataCostWhatTheyMust) {
  Counts zeros(small), same(small), noise(small), pairs(small);
  EXPECT_LT(bits_of(zeros, Bytes(20000, 0)), 200);
  EXPECT_LT(bits_of(same, Bytes(20000, 0xa5)), 200);
  Bytes two(20000);
  for (size_t i = 0; i < two.size(); ++i) two[i] = i % 2 ? 0xff : 0;
  EXPECT_LT(bits_of(pairs, two), 300);
  EXPECT_LT(bits_of(noise, random_bytes(100000)) / 100000, 8 * 1.005);
}

// A text that is far longer than what the memory holds.
TEST(Counts, GoesOnWhenTheMemoryIsFull) {
  Counts model(small);
  Bytes text = random_bytes(120000);
  text.insert(text.end(), licence().begin(), licence().end());
  bits_of(model, text);
  EXPECT_LT(bits_of(model, licence()) / static_cast<double>(licence().size()), 0.2);
}

TEST(Counts, EveryPartCanBeLeftOut) {
  const auto cost = [](auto&& change) {
    CountsOptions options = small;
    change(options.parts);
    Counts model(options);
    return bits_of(model, licence());
  };
  const double all = cost([](CountsParts&) {});
  EXPECT_GT(cost([](CountsParts& p) { p.words = false; }), all);
  EXPECT_NE(cost([](CountsParts& p) { p.sparse = false; }), all);
  EXPECT_NE(cost([](CountsParts& p) { p.records = false; }), all);
  EXPECT_NE(cost([](CountsParts& p) { p.samples = false; }), all);
  EXPECT_NE(cost([](CountsParts& p) { p.runs = false; }), all);
  EXPECT_NE(cost([](CountsParts& p) { p.matches = false; }), all);
  EXPECT_GT(cost([](CountsParts& p) { p.refined = false; }), all);
  EXPECT_NE(cost([](CountsParts& p) { p.sets = false; }), all);
}

TEST(Logistic, StretchAndSquashAreInverse) {
  const auto& tables = counts::logistic();
  EXPECT_EQ(counts::squash(tables, 0), 32768u);
  EXPECT_EQ(counts::squash(tables, counts::stretch_limit), 65535u);
  EXPECT_EQ(counts::squash(tables, -counts::stretch_limit), 1u);
  for (int32_t x = -counts::stretch_limit; x <= counts::stretch_limit; ++x) {
    const double exact = 65536 / (1 + std::exp(-x / 256.0));
    ASSERT_NEAR(counts::squash(tables, x), exact, 1.001) << x;
    ASSERT_EQ(counts::squash(tables, x) + counts::squash(tables, -x), 65536u) << x;
  }
  for (uint32_t p = 1; p < 65536; ++p)
    ASSERT_NEAR(counts::stretch(tables, p), 256 * std::log(p / (65536.0 - p)),
                1.01 + 256 * 0.5 * 65536 / (p * (65536.0 - p)))
        << p;
}

TEST(Histories, CountAndFitIntoAByte) {
  const counts::Histories& all = counts::histories();
  EXPECT_LE(all.states, 256);
  EXPECT_GT(all.states, 150);
  for (size_t s = 0; s < static_cast<size_t>(all.states); ++s)
    for (const size_t bit : {size_t{0}, size_t{1}}) {
      const size_t next = all.next[s][bit];
      const auto& same = bit ? all.ones : all.zeros;
      const auto& other = bit ? all.zeros : all.ones;
      ASSERT_NE(next, 0u);
      ASSERT_TRUE(same[next] > same[s] || next == s || other[next] < other[s] || all.zeros[s] + all.ones[s] > 4) << s;
      ASSERT_LE(other[next], other[s]) << s;
      ASSERT_GE(same[next] + 1, same[s]) << s;
    }
  // bits in a row
  size_t state = 0;
  for (int i = 1; i <= 5; ++i) {
    state = all.next[state][1];
    EXPECT_EQ(all.ones[state], i);
    EXPECT_EQ(all.zeros[state], 0);
  }
}

}  // namespace
}  // namespace statera
