#include "core/input_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "statera/error.hpp"
#include "support/as_nobody.hpp"

namespace statera {
namespace {

template <class Run>
void expect_refused(const std::string& path, const std::string& why, Run run) {
  try {
    run();
    ADD_FAILURE() << path;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_EQ(error.what(), path + ": " + why);
  }
}

struct InputFileTest : testing::Test {
  const std::string path = testing::TempDir() + "statera_input_" + std::to_string(getpid());
  void put(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
  ~InputFileTest() override { std::remove(path.c_str()); }
};

TEST_F(InputFileTest, ReadsAnyPartOfIt) {
  put("0123456789");
  InputFile file = InputFile::open(path);
  const InputFile moved = std::move(file);
  EXPECT_EQ(moved.size(), 10u);
  char part[4] = {};
  moved.read(3, part, 3);
  EXPECT_STREQ(part, "345");
  moved.read(7, part, 3);
  EXPECT_STREQ(part, "789");
  EXPECT_EQ(moved.text(10), "0123456789");
  expect_refused(path, "10 bytes, expected at most 9", [&] { moved.text(9); });
}

TEST_F(InputFileTest, SeesThatItWasWrittenTo) {
  const std::string why = "the file was written to while it was read; try again when that is done";
  char part[4] = {};
  const auto changes = [&](const auto& change) {
    put("0123456789");
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    const InputFile file = InputFile::open(path);
    file.read(0, part, 3);
    change();
    expect_refused(path, why, [&] { file.read(0, part, 3); });
  };
  changes([&] { std::filesystem::resize_file(path, 2); });
  changes([&] { std::filesystem::resize_file(path, 5); });  // what is read is still there
  changes([&] { put("another tex"); });
  changes([&] { put("other text"); });  // of the same length
}

TEST_F(InputFileTest, AFileThatIsReplacedStaysTheOldOne) {
  put("0123456789");
  const InputFile file = InputFile::open(path);
  std::ofstream(path + ".new") << "new";
  std::filesystem::rename(path + ".new", path);
  EXPECT_EQ(file.text(10), "0123456789");
}

TEST_F(InputFileTest, Refuses) {
  const auto refuses = [](const std::string& name, const std::string& why) {
    expect_refused(name, why, [&] { InputFile::open(name); });
  };
  refuses("/no/such/file", "cannot open: No such file or directory");
  refuses(testing::TempDir(), "expected a file, got a folder");
  refuses("/dev/zero", "expected a regular file, got a pipe or device");
  put("");
  refuses(path, "the file is empty");
  std::remove(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  refuses(path, "expected a regular file, got a pipe or device");
}

TEST_F(InputFileTest, RefusesWhatMayNotBeRead) {
  put("text");
  chmod(path.c_str(), 0644);
  EXPECT_TRUE(test::as_nobody([&] { return InputFile::open(path).text(9) == "text"; }));
  chmod(path.c_str(), 0);
  EXPECT_TRUE(test::as_nobody([&] {
    try {
      InputFile::open(path);
      return false;
    } catch (const Error& error) {
      return error.code() == ErrorCode::io && error.what() == path + ": cannot open: Permission denied";
    }
  }));
}

}  // namespace
}  // namespace statera
