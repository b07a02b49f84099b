#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/inputs.hpp"
#include "statera/error.hpp"
#include "support/as_nobody.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;

class AtomicFiles : public ::testing::Test {
 protected:
  AtomicFiles() {
    std::string name = (fs::temp_directory_path() / "statera_file_XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~AtomicFiles() override { fs::remove_all(folder_); }
  std::string path(const std::string& name = "file") const { return folder_ + "/" + name; }
  std::string read(const std::string& name = "file") const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static struct stat status(const std::string& path) {
    struct stat found {};
    EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
    return found;
  }

 private:
  std::string folder_;
};

TEST_F(AtomicFiles, TheOldFileStaysUntilTheNewOneIsWhole) {
  write_file(path(), "old");
  {
    AtomicFile file(path());
    file.write("half");
    EXPECT_THROW(write_file(path(), "other"), Error);  // one writer at a time
  }
  EXPECT_EQ(read(), "old");
  EXPECT_FALSE(fs::exists(partial_path(path())));
  {
    AtomicFile file(path());
    fs::rename(partial_path(path()), path("mine"));
    std::ofstream(partial_path(path())) << "the user's";
    EXPECT_THROW(file.commit(), Error);
  }
  EXPECT_EQ(read() + read(fs::path(partial_path(path())).filename()), "oldthe user's");
  fs::remove(partial_path(path()));
  fs::remove(path("mine"));
  const std::string name = fs::path(partial_path(path())).filename();
  std::ofstream(path(name)) << "left by a process that was killed, or the user's";
  ASSERT_EQ(::mkfifo(partial_path(path(), "2").c_str(), 0600), 0);
  write_file(path(), "new");
  EXPECT_EQ(read(), "new");
  EXPECT_EQ(read(name), "left by a process that was killed, or the user's");
  EXPECT_EQ(std::distance(fs::directory_iterator(path("")), {}), 3);
}

TEST_F(AtomicFiles, WhatCannotBeWrittenIsSeenAtOnce) {
  for (const std::string& bad : {path("no/such/folder"), path(""), path(".")})
    EXPECT_THROW(AtomicFile{bad}, Error) << bad;
  write_file(path(), "a file");
  EXPECT_THROW(AtomicFile{path("file/below")}, Error);
  ASSERT_EQ(::symlink("round", path("round").c_str()), 0);
  EXPECT_THROW(AtomicFile{path("round")}, Error);
}

TEST_F(AtomicFiles, AFileThatMayNotBeWrittenIsRefused) {
  write_file(path(), "a file");
  fs::permissions(path(""), fs::perms::all);
  const auto refused = [&] {
    try {
      AtomicFile file{path()};
      return false;
    } catch (const Error&) {
      return true;
    }
  };
  ASSERT_EQ(::chmod(path().c_str(), 0666), 0);
  EXPECT_TRUE(test::as_nobody([&] { return !refused(); }));
  ASSERT_EQ(::chmod(path().c_str(), 0444), 0);
  EXPECT_TRUE(test::as_nobody(refused));
}

TEST_F(AtomicFiles, ALinkStaysALinkAndAFileKeepsItsMode) {
  fs::create_directory(path("there"));
  write_file(path("there/file"), "old");
  ASSERT_EQ(::chmod(path("there/file").c_str(), 0640), 0);
  ASSERT_EQ(::symlink("there/file", path("link").c_str()), 0);
  ASSERT_EQ(::symlink(path("link").c_str(), path("second").c_str()), 0);
  write_file(path("second"), "new");
  EXPECT_EQ(read("there/file"), "new");
  EXPECT_TRUE(S_ISLNK(status(path("link")).st_mode) && S_ISLNK(status(path("second")).st_mode));
  EXPECT_EQ(status(path("there/file")).st_mode & 0777, 0640u);
}

TEST_F(AtomicFiles, APipeIsWrittenInto) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  const int reader = ::open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  write_file(path(), "text");
  char text[8] = "";
  EXPECT_EQ(::read(reader, text, sizeof(text)), 4);
  ::close(reader);
  EXPECT_TRUE(S_ISFIFO(status(path()).st_mode));
}

TEST_F(AtomicFiles, ADeviceIsWrittenInto) {
  if (::mknod(path().c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) GTEST_SKIP() << "only root makes devices";
  if (const int device = ::open(path().c_str(), O_WRONLY | O_CLOEXEC); device < 0)
    GTEST_SKIP() << "no devices on this file system";
  else
    ::close(device);
  write_file(path(), "text");
  EXPECT_TRUE(S_ISCHR(status(path()).st_mode));
}

TEST_F(AtomicFiles, ADescriptorIsWrittenWhereItStands) {
  const int file = ::open(path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::write(file, "head ", 5), 5);
  for (const char* folder : {"/proc/self/fd/", "/dev/fd/"}) write_file(folder + std::to_string(file), "more ");
  ASSERT_EQ(::write(file, "tail", 4), 4);
  ::close(file);
  EXPECT_EQ(read(), "head more more tail");
}

TEST_F(AtomicFiles, WhatWasReadIsNotReplaced) {
  const auto read_from = [&](const std::string& name) {
    const int file = ::open(path(name).c_str(), O_RDONLY | O_CLOEXEC);
    note_input(file);
    ::close(file);
  };
  const auto refusal = [&](const auto& what) -> std::string {
    try {
      what();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string why = ": is one of the files that were read";
  for (const char* name : {"a", "b", "c", "other"}) write_file(path(name), name);
  fs::create_directory(path("folder"));
  fs::create_hard_link(path("a"), path("hard"));
  fs::create_symlink("a", path("soft"));
  read_from("a");
  for (const char* name : {"a", "hard", "soft", "folder/../a"})
    EXPECT_NE(refusal([&] { AtomicFile{path(name)}; }).find(name + why), std::string::npos) << name;
  AtomicFile before_it_is_written(path("b")), before_it_is_replaced(path("c"));
  before_it_is_replaced.write("x");
  read_from("b");
  read_from("c");
  EXPECT_NE(refusal([&] { before_it_is_written.write("x"); }).find(why), std::string::npos);
  EXPECT_NE(refusal([&] { before_it_is_replaced.commit(); }).find(why), std::string::npos);
  const int appended = ::open(path("a").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  EXPECT_NE(refusal([&] { AtomicFile("/proc/self/fd/" + std::to_string(appended)); }).find(why), std::string::npos);
  ::close(appended);
  EXPECT_EQ(read("a") + read("b") + read("c"), "abc");
  write_file(path("other"), "new");
  const int folder = ::open(path("").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  write_file(OutputPlace(folder, "a", path("a"), ""), "a model that is trained further");
  ::close(folder);
}

TEST_F(AtomicFiles, APipeWithoutAReaderOrWithoutRoomIsNotWaitedForInSilence) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  struct Stopped {};
  int asked = 0;
  const auto stop = [&] {
    if (++asked == 3) throw Stopped();
  };
  EXPECT_THROW(AtomicFile(path(), stop), Stopped);
  const int reader = ::open(path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  AtomicFile file(path(), stop);
  asked = 0;
  EXPECT_THROW(file.write(std::string(size_t{1} << 20, 'x')), Stopped);  // more than a pipe holds
  ::close(reader);
  const auto handler = std::signal(SIGPIPE, SIG_IGN);
  EXPECT_THROW(file.write("x"), ReaderHasGone);
  std::signal(SIGPIPE, handler);
}

TEST_F(AtomicFiles, ADescriptorThatIsOnlyReadFromIsSeenAtOnce) {
  write_file(path(), "text");
  const int file = ::open(path().c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_THROW(AtomicFile("/proc/self/fd/" + std::to_string(file)), Error);
  ::close(file);
}

TEST_F(AtomicFiles, NoFileBecomesAStandardDescriptor) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC), input = ::dup(STDIN_FILENO);
  ASSERT_GE(reader, 0);
  ::close(STDIN_FILENO);
  {
    AtomicFile file(path()), pipe(path("pipe"));
    const int folder = ::open(path("").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);  // the first one that is free
    EXPECT_EQ(folder, STDIN_FILENO);
    ::close(folder);
  }
  if (input >= 0) ::dup2(input, STDIN_FILENO);
  ::close(input);
  ::close(reader);
}

}  // namespace
}  // namespace statera
