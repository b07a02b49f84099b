#include "lab/ppmd/ppmd.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "statera/data.hpp"
#include "statera/error.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

ByteSource tiny_shakespeare() { return ByteSource(test::source_path("data/tinyshakespeare.txt.xz")); }

double bytes_of(Ppmd& model, std::span<const uint8_t> text) {
  double nats = 0;
  for (uint8_t byte : text) nats += model.code(byte);
  return nats / std::numbers::ln2 / 8;
}

// Bytes that 7-Zip's PPMd (variant H, 256 MiB) writes for data/tinyshakespeare.txt: pyppmd 1.3.1, Ppmd7Encoder, without
// a container. A range coder ends with five bytes and rounds, so the model alone costs a little less.
TEST(Ppmd, CostsWhatTheEncoderOf7ZipWrites) {
  const ByteSource source = tiny_shakespeare();
  struct Row {
    int order;
    double bytes;
  };
  for (const auto& [order, bytes] : {Row{3, 323853}, Row{6, 291426}, Row{10, 293016}}) {
    Ppmd model({.order = order});
    const double cost = bytes_of(model, source.document(0));
    EXPECT_LT(cost, bytes) << "order " << order;
    EXPECT_GT(cost, bytes * (1 - 1e-4)) << "order " << order;
    EXPECT_EQ(model.restarts(), 0);
  }
}

// Text, then every byte at random, so that large contexts, rescaling and all ways down occur; with little memory,
// restarts too.
TEST(Ppmd, ProbabilitiesAreThoseThatAreChargedAndSumToOne) {
  const ByteSource source = tiny_shakespeare();
  std::vector<uint8_t> text(source.document(0).begin(), source.document(0).begin() + 60000);
  for (uint32_t i = 0, x = 1; i < 60000; ++i)
    text.push_back(static_cast<uint8_t>((x = x * 1664525 + 1013904223) >> 24));
  text.insert(text.end(), 60000, 'a');
  for (const int order : {2, 6, 64}) {
    Ppmd model({.order = order, .memory = int64_t{1} << 20});
    for (size_t i = 0; i < text.size(); ++i) {
      if (i % 97 != 0) {
        model.code(text[i]);
        continue;
      }
      const std::array<double, 256> p = model.probabilities();
      const double sum = std::accumulate(p.begin(), p.end(), 0.0);
      ASSERT_LE(sum, 1 + 1e-9) << "order " << order << ", byte " << i;
      ASSERT_GT(sum, 0.99) << "order " << order << ", byte " << i;
      ASSERT_GT(*std::min_element(p.begin(), p.end()), 0) << "order " << order << ", byte " << i;
      const double charged = std::exp(-model.code(text[i]));
      ASSERT_NEAR(charged / p[text[i]], 1, 1e-9) << "order " << order << ", byte " << i;
    }
    EXPECT_GT(model.restarts(), 0) << "order " << order;
    EXPECT_LE(model.memory_used(), int64_t{1} << 20);
  }
}

TEST(Ppmd, ACopyGoesOnForItself) {
  const ByteSource kept = tiny_shakespeare();
  const std::span<const uint8_t> all = kept.document(0), first = all.first(50000), one = all.subspan(50000, 20000),
                                 other = all.subspan(90000, 20000);
  Ppmd model;
  bytes_of(model, first);
  Ppmd fork = model;
  bytes_of(fork, other);  // must not be seen by the original
  Ppmd straight;
  bytes_of(straight, first);
  EXPECT_EQ(bytes_of(model, one), bytes_of(straight, one));
  fork = model;
  EXPECT_EQ(bytes_of(fork, other), bytes_of(model, other));
}

TEST(Ppmd, ImpossibleOptionsAreRefused) {
  EXPECT_THROW(Ppmd({.order = 1}), Error);
  EXPECT_THROW(Ppmd({.order = 65}), Error);
  EXPECT_THROW(Ppmd({.memory = 1000}), Error);
  EXPECT_THROW(Ppmd({.memory = int64_t{1} << 40}), Error);
}

}  // namespace
}  // namespace statera
