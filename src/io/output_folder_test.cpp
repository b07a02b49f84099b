#include "io/output_folder.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "io/atomic_file.hpp"
#include "io/safetensors.hpp"
#include "statera/error.hpp"

namespace statera {
namespace {

namespace fs = std::filesystem;

const OutputFiles files{.names = {"model.safetensors", "last/model.safetensors", "config.json", "winner"},
                        .known_by = {"model.safetensors"},
                        .link = "winner"};

class OutputFolders : public ::testing::Test {
 protected:
  OutputFolders() {
    std::string name = (fs::temp_directory_path() / "statera_folder_XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~OutputFolders() override { fs::remove_all(folder_); }
  std::string path(const std::string& name = "") const { return name.empty() ? folder_ : folder_ + "/" + name; }
  void put(const std::string& name) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name)) << name;
  }
  // Everything below, folders too.
  std::set<std::string> all() const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) names.insert(entry.path().string().substr(folder_.size() + 1));
    return names;
  }
  static std::string error(const std::string& folder) {
    try {
      const OutputFolder claimed(folder, files);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::io);
      return error.what();
    }
    return "";
  }

 private:
  std::string folder_;
};

TEST_F(OutputFolders, WhatIsNotOursIsRefusedAndStays) {
  for (const char* name : {"config.json", "last/model.safetensors", "statera.json"}) {
    put("last/thesis.txt");
    put(name);
    const auto before = all();
    EXPECT_NE(error(path()).find(name), std::string::npos) << error(path());
    EXPECT_EQ(all(), before);
    fs::remove(path(name));
  }
}

TEST_F(OutputFolders, OtherFilesAreLetAlone) {
  put("thesis.txt");
  put("last/thesis.txt");
  {
    OutputFolder folder(path(), files);
    write_file(folder.at("config.json"), "{}");
    write_file(folder.at("last/model.safetensors"), "x");
    std::ofstream(partial_path(path("config.json"))) << "left by a process that was killed";
  }
  EXPECT_EQ(all(), (std::set<std::string>{"thesis.txt", "last", "last/thesis.txt", "last/model.safetensors", "config.json", "statera.json",
                                          ".config.json.statera-partial"}));
  EXPECT_EQ(error(path()), "");  // ours now
  put("last/config.json");       // no name of ours
  OutputFolder::remove(path(), files);
  EXPECT_EQ(all(), (std::set<std::string>{"thesis.txt", "last", "last/thesis.txt", "last/config.json"}));
}

TEST_F(OutputFolders, WithoutOutputNothingIsLeft) {
  OutputFolder::check(path("a/b/"), files);
  EXPECT_TRUE(all().empty());
  {
    OutputFolder folder(path("a/b"), files);
    EXPECT_EQ(folder.at("last/model.safetensors"), path("a/b/last/model.safetensors"));
    EXPECT_TRUE(fs::is_directory(path("a/b/last")));
  }
  EXPECT_TRUE(all().empty());
  {
    OutputFolder folder(path("a/b"), files);
    write_file(folder.at("config.json"), "{}");
  }
  OutputFolder::remove(path("a/b"), files);
  EXPECT_EQ(all(), (std::set<std::string>{"a"}));
  OutputFolder::remove(path("nowhere"), files);
  EXPECT_EQ(all(), (std::set<std::string>{"a"}));
}

TEST_F(OutputFolders, ASecondWriterIsToldWhoWrites) {
  {
    const OutputFolder first(path(), files);
    EXPECT_NE(error(path()).find("process " + std::to_string(getpid()) + " on "), std::string::npos) << error(path());
  }
  EXPECT_EQ(error(path()), "");
}

TEST_F(OutputFolders, TheLockOfADeadProcessDoesNotCount) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const OutputFolder folder(path(), files);
    static_cast<void>(!write(ready[1], "x", 1));
    pause();
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_NE(error(path()).find("process " + std::to_string(child) + " on "), std::string::npos) << error(path());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  EXPECT_TRUE(all().contains(".statera.lock"));
  EXPECT_EQ(error(path()), "");
}

TEST_F(OutputFolders, AFolderWithoutAListIsKnownByWhatStandsInAFile) {
  put("config.json");
  put("model.safetensors");
  EXPECT_NE(error(path()), "");  // any file of that name
  write_safetensors(path("model.safetensors"), {}, {{"format", "pt"}});
  EXPECT_NE(error(path()), "");  // somebody else's model
  write_safetensors(path("model.safetensors"), {}, {{"format", "statera"}});
  EXPECT_EQ(error(path()), "");
  EXPECT_TRUE(fs::exists(path("statera.json")));
}

TEST_F(OutputFolders, OnlyPlainFilesAreReplaced) {
  { write_file(OutputFolder(path(), files).at("config.json"), "{}"); }
  for (const char* name : {"model.safetensors", "last"}) {
    fs::create_symlink("thesis.txt", path(name));
    EXPECT_NE(error(path()).find(name), std::string::npos) << error(path());
    fs::remove(path(name));
  }
  fs::create_directory(path("model.safetensors"));
  EXPECT_NE(error(path()).find("model.safetensors: is no plain file"), std::string::npos) << error(path());
  fs::remove(path("model.safetensors"));
  put("winner");
  EXPECT_NE(error(path()).find("winner: is no symbolic link"), std::string::npos) << error(path());
  fs::remove(path("winner"));
  fs::create_symlink("last", path("winner"));
  EXPECT_EQ(error(path()), "");
}

TEST_F(OutputFolders, FoldersThatCannotBeAreNamed) {
  put("file");
  for (const char* name : {"file", "file/below"}) EXPECT_NE(error(path(name)).find(name), std::string::npos) << error(path(name));
  EXPECT_NE(error(""), "");
  fs::create_directory(path("real"));
  fs::create_directory_symlink("real", path("link"));
  EXPECT_EQ(error(path("link")), "");
}

TEST_F(OutputFolders, OwnFilesAreKnownByTheList) {
  EXPECT_TRUE(own_files(path()).empty());
  put("statera.json");
  EXPECT_TRUE(own_files(path()).empty());  // somebody else's
  fs::remove(path("statera.json"));
  put("thesis.txt");
  {
    OutputFolder folder(path(), files);
    write_file(folder.at("config.json"), "{}");
    write_file(folder.at("last/model.safetensors"), "x");
  }
  const auto own = own_files(path());
  EXPECT_EQ(std::set<std::string>(own.begin(), own.end()),
            (std::set<std::string>{"statera.json", "config.json", "last/model.safetensors", "model.safetensors", "winner"}));
  fs::create_symlink("config.json", path("link"));
  for (const char* name : {"config.json", "last/model.safetensors", "last/../config.json", "link"})
    EXPECT_THROW(check_named_output(path(name)), Error) << name;
  write_safetensors(path("state.safetensors"), {}, {{"format", "statera snapshot 1"}});
  EXPECT_THROW(check_named_output(path("state.safetensors")), Error);
  for (const char* name : {"thesis.txt", "new"}) EXPECT_NO_THROW(check_named_output(path(name)));
}

}  // namespace
}  // namespace statera
