#include "core/mapped_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "statera/error.hpp"

namespace statera {
namespace {

void expect_refused(const std::string& path, const std::string& why) {
  try {
    MappedFile::open(path);
    ADD_FAILURE() << path;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_EQ(error.what(), path + ": " + why);
  }
}

TEST(MappedFile, ShowsTheBytesAndZerosBehind) {
  const std::string path = testing::TempDir() + "statera_mapped";
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (size_t size : {size_t{1}, page - 1, page, page + 1}) {
    std::ofstream(path, std::ios::binary) << std::string(size, 'x');
    MappedFile file = MappedFile::open(path);
    ASSERT_EQ(file.bytes().size(), size);
    const std::byte* begin = file.bytes().data();
    const MappedFile moved = std::move(file);
    EXPECT_TRUE(file.bytes().empty());  // NOLINT: moved from
    EXPECT_EQ(moved.bytes().data(), begin);
    EXPECT_EQ(begin[size - 1], std::byte{'x'});
    for (size_t i = 0; i < 64; ++i) EXPECT_EQ(begin[size + i], std::byte{0});
  }
  std::remove(path.c_str());
}

TEST(MappedFile, Refuses) {
  expect_refused("/no/such/file", "cannot open: No such file or directory");
  expect_refused(testing::TempDir(), "expected a file, got a folder");
  expect_refused("/dev/zero", "expected a regular file, got a pipe or device");
  const std::string path = testing::TempDir() + "statera_mapped";
  std::ofstream(path, std::ios::binary) << "";
  expect_refused(path, "the file is empty");
  if (geteuid() != 0) {  // root may read everything
    chmod(path.c_str(), 0);
    expect_refused(path, "cannot open: Permission denied");
  }
  std::remove(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  expect_refused(path, "expected a regular file, got a pipe or device");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace statera
