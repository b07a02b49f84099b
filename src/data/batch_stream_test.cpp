#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/rows.hpp"
#include "statera/data.hpp"
#include "statera/error.hpp"

namespace statera {
namespace {

struct Copied {
  std::vector<int32_t> ids, offsets, targets;
  std::vector<int64_t> start;
  bool operator==(const Copied&) const = default;
};
Copied copied(const Batch& b) {
  const auto list = [](auto span) { return std::vector(span.begin(), span.end()); };
  return {list(b.inputs.ids), list(b.inputs.offsets), list(b.targets), list(b.inputs.start)};
}

std::vector<int32_t> codes(const std::string& s) { return {s.begin(), s.end()}; }
std::string as_text(std::span<const int32_t> targets) { return {targets.begin(), targets.end()}; }

ByteSource alphabet(std::vector<std::string> documents) { return ByteSource::from_memory(documents); }

// What holds for every batch: sound rows, and within a sequence each input is the target before it.
void check_rows_of(const Batch& batch) {
  const Tokens& in = batch.inputs;
  check_rows("test", Rows{in.offsets, in.start}, static_cast<int64_t>(in.ids.size()));
  ASSERT_EQ(batch.targets.size(), in.ids.size());
  for (size_t s = 0; s < in.start.size(); ++s)
    for (auto i = static_cast<size_t>(in.offsets[s]) + 1; i < static_cast<size_t>(in.offsets[s + 1]); ++i)
      EXPECT_EQ(in.ids[i], batch.targets[i - 1]);
}

TEST(BatchStream, SweepReadsEveryByteOnceAndSplitsWindowsAtDocuments) {
  BatchStream stream(alphabet({"abcde", "fg", "hijk"}), {.batch = 2, .length = 4, .order = Order::sweep});
  ASSERT_EQ(stream.steps(), 2);
  const Copied first = copied(stream.next());
  EXPECT_EQ(as_text(first.targets), "abcdefgh");
  EXPECT_EQ(first.offsets, (std::vector<int32_t>{0, 4, 5, 7, 8}));
  EXPECT_EQ(first.start, (std::vector<int64_t>{0, 0, 0, 0}));
  EXPECT_EQ(first.ids, (std::vector<int32_t>{begin_id, 'a', 'b', 'c', 'd', begin_id, 'f', begin_id}));
  const Copied second = copied(stream.next());
  EXPECT_EQ(as_text(second.targets), "ijk");
  EXPECT_EQ(second.ids, codes("hij"));
  EXPECT_EQ(copied(stream.next()), first);  // the next pass
}

TEST(BatchStream, RandomWindowsAreAFunctionOfSeedAndStep) {
  std::vector<std::string> documents(20);
  for (size_t i = 0; i < documents.size(); ++i)
    for (size_t j = 0; j < 5 + 7 * i % 60; ++j) documents[i] += static_cast<char>('!' + (i * 31 + j * 17) % 90);
  const ByteSource source = ByteSource::from_memory(documents);
  const BatchStreamOptions options{.batch = 3, .length = 40, .seed = 5};
  BatchStream stream(source, options), resumed(source, options), other(source, {.batch = 3, .length = 40, .seed = 6});
  std::vector<Copied> batches;
  for (int step = 0; step < 50; ++step) {
    const Batch batch = stream.next();
    check_rows_of(batch);
    EXPECT_EQ(batch.targets.size(), 120u);
    batches.push_back(copied(batch));
  }
  EXPECT_EQ(copied(resumed.next(17)), batches[17]);
  EXPECT_EQ(copied(resumed.next()), batches[18]);
  EXPECT_NE(copied(other.next(17)), batches[17]);
}

TEST(BatchStream, AWindowWithinADocumentBeginsWithTheByteBeforeOrRarelyWithBegin) {
  std::string text;
  for (int i = 0; i < 250; ++i) text += static_cast<char>(i);
  const auto begins = [&](int64_t every) {
    BatchStream stream(alphabet({text}), {.batch = 4, .length = 10, .begin_every = every});
    int begins = 0;
    for (int step = 0; step < 400; ++step) {
      const Batch batch = stream.next();
      for (size_t row = 0; row < 40; row += 10) {
        const int32_t first = batch.inputs.ids[row];
        if (first == begin_id && batch.targets[row] != 0) ++begins;
        if (first != begin_id) {
          EXPECT_EQ(first + 1, batch.targets[row]);
        }
      }
    }
    return begins;
  };
  EXPECT_EQ(begins(0), 0);
  EXPECT_NEAR(begins(16), 100, 40);
}

TEST(BatchStream, LanesGoOnFromBatchToBatch) {
  std::string text;
  for (int i = 0; i < 53; ++i) text += static_cast<char>('A' + i);
  const ByteSource source = alphabet({text.substr(0, 9), text.substr(9)});
  BatchStream stream(source, {.batch = 2, .length = 4, .order = Order::lanes});
  ASSERT_EQ(stream.steps(), 6);  // lanes of 26 bytes; two are left out in each pass
  std::vector<std::string> seen(2);
  int64_t lane_row = 0;
  for (int step = 0; step < 6; ++step) {
    const Batch batch = stream.next();
    check_rows_of(batch);
    const Tokens& in = batch.inputs;
    for (size_t lane = 0; lane < 2; ++lane) seen[lane] += as_text(batch.targets.subspan(lane * 4, 4));
    const int64_t last = static_cast<int64_t>(in.start.size()) - 1;  // lane 1 lies within the second document
    EXPECT_EQ(in.offsets[static_cast<size_t>(last)], 4);
    EXPECT_EQ(in.start[static_cast<size_t>(last)], lane_row);
    EXPECT_EQ(in.ids[4] == begin_id, lane_row == 0);
    lane_row += 4;
  }
  for (const std::string& lane : seen) EXPECT_NE(text.find(lane), std::string::npos);
  const Batch again = stream.next();  // the next pass begins
  EXPECT_EQ(again.inputs.ids[0], begin_id);
  EXPECT_EQ(again.inputs.start.back(), 0);
}

TEST(BatchStream, ALaneBeginsAnewAtADocument) {
  BatchStream stream(alphabet({"abcdef", "ghijkl"}), {.batch = 1, .length = 4, .order = Order::lanes});
  stream.next();
  const Copied middle = copied(stream.next());
  EXPECT_EQ(middle.offsets, (std::vector<int32_t>{0, 2, 4}));
  EXPECT_EQ(middle.start, (std::vector<int64_t>{4, 0}));
  EXPECT_EQ(middle.ids, (std::vector<int32_t>{'d', 'e', begin_id, 'g'}));
  EXPECT_EQ(copied(stream.next()).start, (std::vector<int64_t>{2}));
}

TEST(BatchStream, NextKeepsItsMemory) {
  BatchStream stream(alphabet({"a", "b", "c", "d", "e", "fghi"}), {.batch = 2, .length = 3});
  const Batch first = stream.next();
  const auto *ids = first.inputs.ids.data(), *offsets = first.inputs.offsets.data();
  for (int i = 0; i < 50; ++i) {
    const Batch batch = stream.next();
    EXPECT_EQ(batch.inputs.ids.data(), ids);
    EXPECT_EQ(batch.inputs.offsets.data(), offsets);
  }
}

TEST(BatchStream, ImpossibleOptionsAreNamed) {
  const auto message = [](const BatchStreamOptions& options) -> std::string {
    try {
      BatchStream stream(alphabet({"0123456789"}), options);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message({.batch = 1, .length = 11}),
            "[data] memory has 10 bytes, fewer than one sequence of 11: give more text, or a length of at most 10");
  EXPECT_NE(message({.batch = 3, .length = 4, .order = Order::lanes}).find("too few for 3 lanes of 4"),
            std::string::npos);
  EXPECT_NE(message({.batch = 0}).find("batch 0"), std::string::npos);
  EXPECT_NE(message({.batch = 1 << 16, .length = 1 << 16}).find("2^31"), std::string::npos);
  EXPECT_EQ(message({.batch = 3, .length = 11, .order = Order::sweep}), "no error");
}

}  // namespace
}  // namespace statera
