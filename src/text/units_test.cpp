#include <gtest/gtest.h>

#include "statera/error.hpp"
#include "statera/units.hpp"
#include "support/pair_units.hpp"

namespace statera {
namespace {

TEST(Units, ACostIsSpreadOverTheBytesOfItsId) {
  const std::vector<float> costs = {3, 4, 1, 6};
  EXPECT_EQ(per_byte(costs, {.ids = {1, 2, 3, 4}, .bytes = {1, 2, 0, 1}}), (std::vector<float>{3, 2, 2, 7}));
  // an id without bytes at the end
  EXPECT_EQ(per_byte(costs, {.ids = {1, 2, 3, 4}, .bytes = {1, 2, 1, 0}}), (std::vector<float>{3, 2, 2, 7}));
  EXPECT_EQ(per_byte(costs, {.ids = {1, 2, 3, 4}, .bytes = {}}), costs);
  EXPECT_TRUE(per_byte({}, {}).empty());
}

TEST(Units, CostsThatBelongToNoByteAreAnError) {
  const std::vector<float> costs = {1, 2};
  EXPECT_THROW(per_byte(costs, {.ids = {1}, .bytes = {1}}), Error);
  EXPECT_THROW(per_byte(costs, {.ids = {1, 2}, .bytes = {1}}), Error);
  EXPECT_THROW(per_byte(costs, {.ids = {1, 2}, .bytes = {0, 0}}), Error);
}

TEST(Units, BytesAreTheirOwnIds) {
  const std::shared_ptr<const Units> bytes = byte_units();
  const std::string text("a\xff\0z", 4);
  const UnitIds ids = bytes->encode(text);
  EXPECT_EQ(ids.ids, (std::vector<int32_t>{'a', 255, 0, 'z'}));
  EXPECT_TRUE(ids.bytes.empty());
  std::string back;
  const auto reader = bytes->reader();
  for (const int32_t id : ids.ids) back += reader->push(id);
  EXPECT_EQ(back, text);
  EXPECT_THROW(reader->push(256), Error);
  EXPECT_EQ(bytes->size(), 256);
  EXPECT_TRUE(bytes->file().empty());
}

TEST(Units, IdsOfUnknownMeaningAreNoText) {
  const auto units = unknown_units(1000);
  EXPECT_EQ(units->size(), 1000);
  for (const auto& call : {std::function([&] { static_cast<void>(units->encode("a")); }),
                           std::function([&] { static_cast<void>(units->reader()); })})
    try {
      call();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::config);
      EXPECT_NE(std::string(error.what()).find("1000 ids"), std::string::npos);
    }
}

}  // namespace
}  // namespace statera
