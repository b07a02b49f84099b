#include <gtest/gtest.h>

#include "statera/data.hpp"
#include "statera/error.hpp"
#include "support/pair_units.hpp"

namespace statera {
namespace {

ByteSource documents(std::vector<std::string> all) { return ByteSource::from_memory(all); }
IdSource in_pairs(std::vector<std::string> all) {
  return {documents(std::move(all)), std::make_shared<test::PairUnits>()};
}

TEST(IdSource, HasTheDocumentsAsIdsAndKnowsTheirBytes) {
  const IdSource ids = in_pairs({"aab", "xyyz", "c"});
  EXPECT_EQ(ids.size(), 6);
  EXPECT_EQ(ids.begin(), 283);
  EXPECT_EQ(ids.documents(), 3);
  EXPECT_EQ(ids.document_size(1), 3);
  EXPECT_EQ(ids.document_begin(2), 5);
  EXPECT_EQ(ids.id(0, 0), test::PairUnits::first_pair);
  EXPECT_EQ(ids.id_bytes(0, 0), 2);
  EXPECT_EQ(ids.id(1, 1), test::PairUnits::first_pair + 'y' - 'a');
  EXPECT_EQ(ids.id(2, 0), 'c');
  EXPECT_DOUBLE_EQ(ids.bytes_per_id(), 8.0 / 6);
  const std::vector<int64_t> of = {0, 0, 1, 1, 1, 2};
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(ids.document_at(i), of[static_cast<size_t>(i)]);
}

TEST(IdSource, OfBytesIsTheSourceItself) {
  const IdSource ids = documents({"ab", "c"});
  EXPECT_EQ(ids.size(), 3);
  EXPECT_EQ(ids.begin(), begin_id);
  EXPECT_EQ(ids.id(1, 0), 'c');
  EXPECT_EQ(ids.document_at(2), 1);
  EXPECT_EQ(ids.bytes_per_id(), 1);
}

// A figure in bits per byte is worth as much as its bytes.
TEST(IdSource, ASweepOverTokensCountsEachByteOnce) {
  const std::vector<std::string> texts = {"hello, book-keeper", "aa", "zzzz zz z"};
  for (const int64_t length : {1, 2, 3, 7, 100}) {
    BatchStream stream(in_pairs(texts), {.batch = 2, .length = length, .order = Order::sweep});
    int64_t bytes = 0, targets = 0;
    for (int64_t i = 0; i < stream.steps(); ++i) {
      const Batch batch = stream.next();
      bytes += batch.bytes;
      for (const int32_t target : batch.targets) targets += target >= 0;
    }
    EXPECT_EQ(bytes, 18 + 2 + 9) << length;
    EXPECT_EQ(targets, stream.source().size()) << length;
  }
}

TEST(IdSource, ADocumentBeginsWithTheIdThatNoTokenHas) {
  BatchStream stream(in_pairs({"aab", "zz"}), {.batch = 1, .length = 3, .order = Order::sweep});
  const Batch batch = stream.next();
  EXPECT_EQ(batch.inputs.ids, (std::vector<int32_t>{283, test::PairUnits::first_pair, 283}));
  EXPECT_EQ(batch.inputs.offsets, (std::vector<int32_t>{0, 2, 3}));
}

TEST(IdSource, SaysInWhichDocumentSomethingIsWrong) {
  struct Refuses : test::PairUnits {
    UnitIds encode(std::string_view text) const override {
      if (text == "bad") throw Error(ErrorCode::config, "no such text");
      return PairUnits::encode(text);
    }
  };
  try {
    const IdSource ids(documents({"good", "bad"}), std::make_shared<Refuses>());
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("document 2: no such text"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace statera
