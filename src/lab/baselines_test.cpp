// The baselines on the text that the repository ships: the numbers that a model has to beat.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "lab/baselines.hpp"
#include "lab/ngram.hpp"
#include "lab/ppmd/cost.hpp"
#include "lab/xz.hpp"
#include "text/quantity.hpp"
#include "support/paths.hpp"

namespace statera {
namespace {

ByteSource from(std::vector<std::string> documents) { return ByteSource::from_memory(documents); }

TEST(Baselines, TinyShakespeare) {
  const ByteSource text(test::source_path("data/tinyshakespeare.txt.xz"));
  ASSERT_EQ(text.bytes(), 1115394);
  const auto [train, held_out] = text.split(0.1);
  EXPECT_EQ(train.bytes(), 1003854);
  const NgramCost ngrams = ngram_cost(train, held_out);
  const std::vector<double> expected{4.83, 3.59, 2.96, 2.56, 2.41, 2.45};
  ASSERT_EQ(ngrams.bits_per_byte.size(), expected.size());
  for (size_t k = 0; k < expected.size(); ++k) EXPECT_NEAR(ngrams.bits_per_byte[k], expected[k], 0.01) << "order " << k;
  EXPECT_EQ(ngrams.note, "");
  EXPECT_EQ(ngrams.best_learning, 4);
  EXPECT_NEAR(ngrams.learning[4], 2.16, 0.01);
  const PpmdCost ppmd = ppmd_cost(train, held_out);
  EXPECT_EQ(ppmd.order, 6);
  EXPECT_NEAR(ppmd.bits_per_byte, 2.03, 0.01);
  EXPECT_NEAR(xz_cost(train, held_out), 2.52, 0.01);
}

TEST(Ngram, IsTheFormula) {
  // Order 0 after "aab": c(a) = 2, c(b) = 1, T = 2, N = 3. Order 1: a was followed by a and b, once each.
  const double a = (2 + 2.0 / 256) / 5, b = (1 + 2.0 / 256) / 5, c = (0 + 2.0 / 256) / 5;
  const double a_after_a = (1 + 2 * a) / 4, c_after_a = (0 + 2 * c) / 4;
  const NgramCost cost = ngram_cost(from({"aab"}), from({"baac", "a"}), {.max_order = 1});
  EXPECT_NEAR(cost.bits_per_byte[0], -std::log2(b * a * a * c * a) / 5, 1e-12);
  // nothing ever followed b
  EXPECT_NEAR(cost.bits_per_byte[1], -std::log2(b * a * a_after_a * c_after_a * a) / 5, 1e-12);
}

// The same, counted afresh before every byte.
TEST(Ngram, LearningCountsWhatWasRead) {
  const std::string train = "abracadabra, abra", held_out = "cadabra! cadabra! xyz xyz";
  const NgramCost cost = ngram_cost(from({train}), from({held_out}), {.max_order = 3});
  for (int k = 0; k <= 3; ++k) {
    double bits = 0;
    for (size_t i = 0; i < held_out.size(); ++i) {
      const std::string read = held_out.substr(0, i);
      const auto cost_after_it = [&](const std::string& text) {
        const ByteSource seen = i == 0 ? from({train}) : from({train, read});
        return static_cast<double>(text.size()) * ngram_cost(seen, from({text}), {.max_order = k}).bits_per_byte.back();
      };
      bits += cost_after_it(held_out.substr(0, i + 1)) - (i == 0 ? 0 : cost_after_it(read));
    }
    EXPECT_NEAR(cost.learning[static_cast<size_t>(k)], bits / static_cast<double>(held_out.size()), 1e-9)
        << "order " << k;
    EXPECT_LT(cost.learning[static_cast<size_t>(k)], cost.bits_per_byte[static_cast<size_t>(k)]) << "order " << k;
  }
  ASSERT_EQ(cost.nats.size(), held_out.size());
  double nats = 0;
  for (float n : cost.nats) nats += n;
  EXPECT_EQ(cost.best_learning, std::min_element(cost.learning.begin(), cost.learning.end()) - cost.learning.begin());
  EXPECT_NEAR(nats / std::numbers::ln2 / static_cast<double>(held_out.size()),
              cost.learning[static_cast<size_t>(cost.best_learning)], 1e-5);
}

TEST(Ngram, NoStringCrossesADocument) {
  const NgramCost apart = ngram_cost(from({"ab", "ab"}), from({"ba"}), {.max_order = 1});
  EXPECT_NEAR(apart.bits_per_byte[1], apart.bits_per_byte[0], 1e-12);  // "ba" would only occur across the boundary
}

TEST(Ngram, SaysWhatItSkips) {
  std::string noise;
  for (uint32_t i = 0, x = 1; i < 20000; ++i) noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  const NgramCost cost = ngram_cost(from({noise}), from({"abc"}), {.max_table_bytes = 1 << 18});
  EXPECT_EQ(cost.bits_per_byte.size(), 1u);
  EXPECT_NE(cost.note.find("order 1 and above skipped"), std::string::npos) << cost.note;
}

TEST(Baselines, EndWhenTheyAreToldTo) {
  struct Stopped {};
  int calls = 0;
  const auto often = [&] {
    if (++calls == 2) throw Stopped();
  };
  const std::string text(300'000, 'a');
  EXPECT_THROW(ngram_cost(from({text}), from({"abc"}), {.often = often}), Stopped);
  calls = 0;
  EXPECT_THROW(xz_cost(from({text}), from({"abc"}), often), Stopped);
  calls = 0;
  EXPECT_THROW(ppmd_cost(from({text}), from({"abc"}), {.often = often}), Stopped);
}

TEST(PpmdCost, IsTheDifferenceAndTheBestOrder) {
  const ByteSource text(test::source_path("data/tinyshakespeare.txt.xz"));
  const auto [train, held_out] = text.part(0, 50'000).split(0.1);
  const PpmdCost best = ppmd_cost(train, held_out);
  double least = 1e9;
  for (const int order : {3, 6, 10, 16}) {
    Ppmd model({.order = order});
    double before = 0, nats = 0;
    for (uint8_t byte : train.document(0)) before += model.code(byte);
    for (uint8_t byte : held_out.document(0)) nats += model.code(byte);
    least = std::min(least, nats);
    const PpmdCost one = ppmd_cost(train, held_out, {.orders = {order}});
    EXPECT_EQ(one.order, order);
    EXPECT_NEAR(one.bits_per_byte, nats / std::numbers::ln2 / static_cast<double>(held_out.bytes()), 1e-9);
  }
  EXPECT_NEAR(best.bits_per_byte, least / std::numbers::ln2 / static_cast<double>(held_out.bytes()), 1e-9);
  EXPECT_EQ(best.train_bytes, train.bytes());
  EXPECT_EQ(std::ssize(best.nats), held_out.bytes());
}

TEST(PpmdCost, LearnsFromAsMuchAsItsMemoryHolds) {
  const ByteSource text(test::source_path("data/tinyshakespeare.txt.xz"));
  const auto [train, held_out] = text.split(0.01);
  const PpmdCost cost = ppmd_cost(train, held_out, {.orders = {6}, .memory = int64_t{2} << 20});
  EXPECT_LT(cost.train_bytes, train.bytes() / 2);
  EXPECT_GT(cost.train_bytes, train.bytes() / 20);
  const PpmdCost same =
      ppmd_cost(train.part(train.bytes() - cost.train_bytes, train.bytes()), held_out, {.orders = {6}});
  EXPECT_EQ(cost.bits_per_byte, same.bits_per_byte);  // nothing was forgotten
}

std::string numbers(int n) {
  std::string text;
  for (int i = 0; i < n; ++i) text += std::to_string(i * i) + " ";
  return text;
}

TEST(Baselines, SayWhichLearnAndFromWhat) {
  const ByteSource train = from({numbers(3000)}), held_out = from({numbers(300)});
  const Baselines all = baselines(train, held_out);
  ASSERT_EQ(all.rows.size(), 10u);  // n-gram orders 0 to 5, the best of them as it learns, PPMd, xz, counts
  EXPECT_EQ(all.note, "");
  int with_nats = 0;
  for (const Baseline& row : all.rows) {
    ASSERT_TRUE(row.bits_per_byte) << row.name;
    EXPECT_EQ(row.learns, !row.name.starts_with("n-gram") || row.name.ends_with(", learning")) << row.name;
    EXPECT_EQ(row.learned, "") << row.name;
    if (row.nats.empty()) continue;
    ++with_nats;
    double nats = 0;
    for (float n : row.nats) nats += n;
    EXPECT_NEAR(nats / std::numbers::ln2 / static_cast<double>(held_out.bytes()), *row.bits_per_byte, 1e-5) << row.name;
    for (const Baseline& other : all.rows)
      if (other.learns && other.name != "xz") {
        EXPECT_GE(*other.bits_per_byte, *row.bits_per_byte) << other.name;
      }
  }
  EXPECT_EQ(with_nats, 1);
}

TEST(Baselines, ReadTheLastPartThatTheirTimeAllows) {
  const ByteSource train = from({numbers(30000)}), held_out = from({numbers(3000)});
  const double seconds = 0.5;
  const BaselineBytes bytes = baseline_bytes(train.bytes(), held_out.bytes(), seconds);
  EXPECT_LT(bytes.train, train.bytes());
  EXPECT_LT(bytes.held_out, held_out.bytes());
  EXPECT_GE(bytes.counts_train, bytes.held_out / 2);
  EXPECT_LT(bytes.counts_train, bytes.train);
  const double used = baseline_seconds(train.bytes(), held_out.bytes(), seconds);
  EXPECT_LT(used, seconds * (1 + 1e-9));
  EXPECT_GT(used, 0.9 * seconds);
  const Baselines cut = baselines(train, held_out, {.seconds = seconds});
  const auto same = [&](int64_t learned) {
    return baselines(train.part(train.bytes() - learned, train.bytes()), held_out.part(0, bytes.held_out));
  };
  const Baselines others = same(bytes.train), counts = same(bytes.counts_train);
  ASSERT_EQ(cut.rows.size(), others.rows.size());
  for (size_t i = 0; i < cut.rows.size(); ++i) {
    const bool last = cut.rows[i].name == "context mixing";
    EXPECT_EQ(cut.rows[i].bits_per_byte, (last ? counts : others).rows[i].bits_per_byte) << cut.rows[i].name;
    EXPECT_EQ(cut.rows[i].learned, "last " + bytes_text(static_cast<double>(last ? bytes.counts_train : bytes.train)))
        << cut.rows[i].name;
  }
  EXPECT_NE(cut.note.find("held out"), std::string::npos) << cut.note;
}

TEST(Baselines, LargeDataAreNotLeftOut) {
  const BaselineBytes much = baseline_bytes(int64_t{3} << 30, int64_t{1} << 30, 3600);
  EXPECT_EQ(much.train, int64_t{64} << 20);
  EXPECT_EQ(much.held_out, int64_t{16} << 20);
  EXPECT_EQ(much.counts_train, int64_t{64} << 20);
  const BaselineBytes little = baseline_bytes(int64_t{3} << 30, int64_t{1} << 30, 0);
  EXPECT_EQ(little.train, 1);
  EXPECT_EQ(little.held_out, 1);
  EXPECT_EQ(little.counts_train, 0);
}

// Whatever the moment at which they are stopped: what stands there is what stands there without a stop.
TEST(Baselines, ThatAreStoppedAreNotFinished) {
  const ByteSource train = from({numbers(2000)}), held_out = from({numbers(200)});
  const Baselines whole = baselines(train, held_out);
  size_t shapes = 0, before = 0;
  for (int most = 0;; ++most) {
    int asked = 0;
    const Baselines cut = baselines(train, held_out, {.stop = [&] { return asked++ >= most; }});
    size_t finished = 0;
    for (const Baseline& row : cut.rows) {
      if (!row.bits_per_byte) continue;
      ASSERT_EQ(row.name, whole.rows[finished].name);
      ASSERT_EQ(row.bits_per_byte, whole.rows[finished++].bits_per_byte);
    }
    shapes += most == 0 || finished != before;
    before = finished;
    if (most == 0) {
      ASSERT_EQ(cut.rows.size(), 4u);
      EXPECT_EQ(cut.rows[0].name, "n-grams");
      EXPECT_EQ(cut.rows[1].name, "PPMd");
      EXPECT_EQ(cut.rows[2].name, "xz");
      EXPECT_EQ(cut.rows[3].name, "context mixing");
    }
    if (finished == whole.rows.size()) break;
  }
  EXPECT_EQ(shapes, 5u);  // nothing, n-grams, PPMd, xz, counts
}

TEST(Baselines, AreStoppedByTheClock) {
  const ByteSource train = from({numbers(2000)}), held_out = from({numbers(200)});
  double now = 5;
  const auto one_second_each_time = [&] { return now += 1; };
  EXPECT_FALSE(baselines(train, held_out, {.stop_after = 3, .clock = one_second_each_time}).rows.back().bits_per_byte);
  EXPECT_TRUE(baselines(train, held_out, {.stop_after = 1e9, .clock = one_second_each_time}).rows.back().bits_per_byte);
}

}  // namespace
}  // namespace statera
