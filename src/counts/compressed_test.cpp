#include "counts/compressed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/input_file.hpp"
#include "statera/error.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr int64_t memory = int64_t{16} << 20;

Bytes compressed(const Bytes& data, CompressOptions options = {.memory_bytes = memory}) {
  Bytes out;
  Compressor compressor(options, [&](std::span<const uint8_t> b) { out.insert(out.end(), b.begin(), b.end()); });
  compressor.add(std::span(data).first(data.size() / 3));
  compressor.add(std::span(data).subspan(data.size() / 3));
  compressor.finish();
  EXPECT_EQ(compressor.read(), data.size());
  EXPECT_EQ(compressor.written(), out.size());
  return out;
}

// Gives the bytes in pieces of at most `piece`.
Bytes decompressed(std::span<const uint8_t> bytes, size_t piece = SIZE_MAX, DecompressOptions options = {.name = "x"}) {
  Decompressor decompressor(
      [&](std::span<uint8_t> to) {
        const size_t n = std::min({to.size(), bytes.size(), piece});
        std::copy_n(bytes.begin(), n, to.begin());
        bytes = bytes.subspan(n);
        return n;
      },
      options);
  Bytes all;
  for (auto block = decompressor.next(); !block.empty(); block = decompressor.next())
    all.insert(all.end(), block.begin(), block.end());
  EXPECT_TRUE(decompressor.next().empty());
  EXPECT_EQ(decompressor.written(), all.size());
  return all;
}

// Says that the byte is `step` more than the last one, with a probability that grows while that is so.
class Steps : public Predictor {
 public:
  explicit Steps(int step) : step_(step) {}
  std::string description() const override { return "step " + std::to_string(step_); }
  std::span<const float, 256> next() override {
    p_.fill(1.0f / 512);
    p_[guess()] = 1 - 255.0f / 512;
    return p_;
  }
  void read(uint8_t byte) override { last_ = byte; }

 private:
  uint8_t guess() const { return static_cast<uint8_t>(last_ + step_); }
  int step_;
  uint8_t last_ = 0;
  std::array<float, 256> p_{};
};

std::unique_ptr<Predictor> steps_of(const std::string& description) {
  return std::make_unique<Steps>(std::stoi(description.substr(5)));
}

std::string error_of(const Bytes& bytes) {
  try {
    decompressed(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    return error.what();
  }
  return "";
}

Bytes licence(size_t size) {
  const std::string text = InputFile::open(test::source_path("LICENSE")).text(1 << 20);
  return Bytes(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
}

Bytes random_bytes(size_t size) {
  Bytes bytes(size);
  uint32_t x = 1;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((x = x * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(Coder, GivesBackEveryBitAtTheCostOfItsProbability) {
  const Bytes noise = random_bytes(40000);
  counts::Encoder encoder;
  const auto p_of = [&](size_t i) {
    constexpr std::array<uint32_t, 6> extremes{1, 2, 255, 40000, 65534, 65535};
    return extremes[noise[i] % 6];
  };
  double bits = 0;
  std::vector<bool> wanted;
  for (size_t i = 0; i < noise.size(); ++i) {
    const bool one = i % 1000 == 0 ? p_of(i) < 32768 : p_of(i) > 32768;  // now and then the unlikely
    wanted.push_back(one);
    encoder.code(p_of(i), one);
    bits -= std::log2((one ? p_of(i) : 65536 - p_of(i)) / 65536.0);
  }
  const Bytes code = encoder.finish();
  EXPECT_LT(static_cast<double>(code.size()), bits / 8 + 2);
  counts::Decoder decoder(code);
  for (size_t i = 0; i < noise.size(); ++i) ASSERT_EQ(decoder.decode(p_of(i)), wanted[i]) << i;
  EXPECT_TRUE(encoder.finish().empty());  // begun anew, with nothing to tell
}

TEST(Compressed, DataComeBack) {
  for (const Bytes& data : {Bytes(), Bytes{0}, Bytes{255}, licence(9000), random_bytes(3000)}) {
    EXPECT_EQ(decompressed(compressed(data)), data);
    EXPECT_EQ(decompressed(compressed(data, {.memory_bytes = memory, .length = data.size()}), 7), data);
  }
  const Bytes zeros(270000, 0), packed = compressed(zeros);  // more than a block
  EXPECT_EQ(decompressed(packed), zeros);
  EXPECT_LT(packed.size(), 200u);
  EXPECT_EQ(compressed({}).size(), 56u);
  EXPECT_LT(compressed(random_bytes(60000)).size(), 60400u);
}

TEST(Compressed, AFlippedBitOrACutAnywhereIsAnError) {
  const Bytes whole = compressed(licence(300));
  for (size_t at = 0; at < whole.size(); ++at) {
    Bytes bytes = whole;
    if (at % 2 == 0)
      bytes[at] = static_cast<uint8_t>(bytes[at] ^ (1 << at / 2 % 8));
    else
      bytes.resize(at);
    EXPECT_NE(error_of(bytes), "") << at;
  }
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_EQ(error_of(longer),
            "x: is damaged: something follows after its end; fetch it again, or compress the data again");
}

TEST(Compressed, ABlockIsNotGivenBeforeItIsChecked) {
  Bytes bytes = compressed(Bytes((1 << 18) + 100, 'a'));
  bytes[bytes.size() - 25] ^= 1;  // in the second block
  std::span<const uint8_t> left(bytes);
  Decompressor decompressor([&](std::span<uint8_t> to) {
    const size_t n = std::min(to.size(), left.size());
    std::copy_n(left.begin(), n, to.begin());
    left = left.subspan(n);
    return n;
  });
  EXPECT_EQ(decompressor.next().size(), size_t{1} << 18);
  EXPECT_THROW(decompressor.next(), Error);
}

TEST(Compressed, ForeignDataAndOtherVersionsAreErrors) {
  EXPECT_EQ(error_of({}), "x: is empty: expected what statera compress wrote");
  EXPECT_EQ(error_of(licence(100)), "x: was not written by statera compress: it begins differently");
  EXPECT_EQ(error_of(licence(3)), "x: was not written by statera compress: it begins differently");
  Bytes other = compressed({});
  other[8] = 9;
  EXPECT_EQ(error_of(other),
            "x: has version 9 of the format, this program reads 6 and 7: take the statera that wrote it");
  Bytes cut = compressed({});
  cut.resize(5);
  EXPECT_EQ(error_of(cut), "x: is damaged: it is cut off in its header; fetch it again, or compress the data again");
}

TEST(Compressed, MemoryIsAskedForBeforeItIsTaken) {
  const Bytes bytes = compressed(licence(100));
  int64_t asked = 0;
  decompressed(bytes, SIZE_MAX, {.check_memory = [&](int64_t n) { asked = n; }});
  EXPECT_EQ(asked, memory);
  struct Stop {};
  EXPECT_THROW(decompressed(bytes, SIZE_MAX, {.check_memory = [](int64_t) { throw Stop(); }}), Stop);
  EXPECT_THROW(decompressed(bytes, SIZE_MAX, {.often = [] { throw Stop(); }}), Stop);
}

// Short data take a small model, whatever is allowed.
TEST(Compressed, ShortDataNeedLittleMemory) {
  const Bytes bytes = compressed(licence(1000), {.length = 1000});
  decompressed(bytes, SIZE_MAX, {.check_memory = [](int64_t n) { EXPECT_LT(n, int64_t{20} << 20); }});
}

TEST(Compressed, DataOfAnotherLengthThanPromisedAreAnError) {
  Compressor compressor({.memory_bytes = memory, .length = 3}, [](std::span<const uint8_t>) {});
  compressor.add(licence(2));
  EXPECT_THROW(compressor.finish(), Error);
}

TEST(Compressed, APredictorHelpsAndComesBackFromItsDescription) {
  Bytes data;
  for (size_t i = 0; i < 3000; ++i) data.push_back(static_cast<uint8_t>(i * 77 + i % 13 / 12));
  Steps steps(77);
  const Bytes alone = compressed(data), with = compressed(data, {.memory_bytes = memory, .predictor = &steps});
  EXPECT_LT(with.size(), alone.size() * 3 / 4);
  std::string described;
  DecompressOptions options{.name = "x", .predictor = [&](const std::string& description) {
                              described = description;
                              return steps_of(description);
                            }};
  EXPECT_EQ(decompressed(with, SIZE_MAX, options), data);
  EXPECT_EQ(described, "step 77");
  // Another predictor would give other data; the checksum of the block tells.
  options.predictor = [](const std::string&) { return std::make_unique<Steps>(78); };
  EXPECT_THROW(decompressed(with, SIZE_MAX, options), Error);
  EXPECT_EQ(error_of(with), "x: was compressed with a model; name its folder");
  // One that breaks down did not do so when the data were compressed.
  class Broken : public Steps {
   public:
    using Steps::Steps;
    std::span<const float, 256> next() override {
      nan_.fill(NAN);
      return nan_;
    }

   private:
    std::array<float, 256> nan_{};
  };
  options.predictor = [](const std::string&) { return std::make_unique<Broken>(77); };
  try {
    decompressed(with, SIZE_MAX, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_NE(std::string(error.what()).find("another version of statera"), std::string::npos) << error.what();
  }
  Broken broken(77);
  EXPECT_THROW(compressed(data, {.memory_bytes = memory, .predictor = &broken}), Error);
}

TEST(Compressed, DamageToTheDescriptionOfAPredictorIsAnError) {
  Steps steps(3);
  const Bytes whole = compressed(random_bytes(100), {.memory_bytes = memory, .predictor = &steps});
  const auto reading = [&](const Bytes& bytes) {
    return decompressed(bytes, SIZE_MAX, {.name = "x", .predictor = steps_of});
  };
  EXPECT_EQ(reading(whole), random_bytes(100));
  for (size_t i = 8; i < 60; ++i) {
    Bytes damaged = whole;
    damaged[i] ^= 4;
    EXPECT_THROW(reading(damaged), Error) << i;
    EXPECT_THROW(reading({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i)}), Error) << i;
  }
}

}  // namespace
}  // namespace statera
