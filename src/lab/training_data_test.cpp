#include "lab/training_data.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace statera {
namespace {

uint64_t of(const std::vector<std::string>& documents, int64_t most) {
  return fingerprint(ByteSource::from_memory(documents), 0, most);
}

TEST(Fingerprint, IsOfEveryByteAndOfTheEndsOfDocuments) {
  const std::string text(10'001, 'a');
  const uint64_t whole = of({text}, 1 << 20);
  for (size_t at : {size_t{0}, size_t{5'000}, text.size() - 1}) {
    std::string other = text;
    other[at] = 'b';
    EXPECT_NE(of({other}, 1 << 20), whole) << at;
  }
  EXPECT_NE(of({text + "a"}, 1 << 20), whole);
  EXPECT_NE(of({text.substr(0, 5'000), text.substr(5'000)}, 1 << 20), whole);
}

// What lies between the blocks is not read, or the first step of a training on much data would wait for all of them.
TEST(Fingerprint, ReadsAPartOfMuchData) {
  constexpr size_t block = 4096, bytes = 100 * block + 7;
  constexpr int64_t most = 10 * block;
  const std::string text(bytes, 'a');
  const uint64_t whole = of({text}, most);
  size_t seen = 0;
  for (size_t at = 5; at < bytes; at += block) {
    std::string other = text;
    other[at] = 'b';
    seen += of({other}, most) != whole;
  }
  EXPECT_GE(seen, 9u);
  EXPECT_LE(seen, 12u);
  std::string end = text;
  end.back() = 'b';
  EXPECT_NE(of({end}, most), whole);
  EXPECT_NE(of({text + "a"}, most), whole);
  EXPECT_NE(of({text.substr(0, 50 * block), text.substr(50 * block)}, most), whole);
}

}  // namespace
}  // namespace statera
