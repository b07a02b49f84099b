#include "io/output_folder.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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
#include "support/as_nobody.hpp"

namespace {
// What was flushed to the disk, by its path.
std::set<std::string>& synced() {
  static std::set<std::string> paths;
  return paths;
}
}  // namespace

// In place of the C library's.
extern "C" int fsync(int file) {
  std::error_code ignored;
  synced().insert(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), ignored).string());
  return static_cast<int>(syscall(SYS_fsync, file));
}

namespace statera {
namespace {

namespace fs = std::filesystem;

const OutputFiles files{.names = {"model.safetensors", "last/model.safetensors", "config.json", "winner"},
                        .known_by = {"model.safetensors"},
                        .link = "winner",
                        .folders = {"models"}};

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
  static void write_weights(OutputFolder& folder, const std::string& name = "model.safetensors") {
    write_safetensors(folder.at(name), {}, {{"format", "statera"}});
  }
  // Everything below, folders too.
  std::set<std::string> all() const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_))
      names.insert(entry.path().string().substr(folder_.size() + 1));
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

TEST_F(OutputFolders, AFolderOfFoldersIsOursFromTheBegin) {
  put("models");  // a file
  EXPECT_NE(error(path()).find("models: is no folder"), std::string::npos) << error(path());
  fs::remove(path("models"));
  put("models/c/thesis.txt");
  const auto before = all();
  EXPECT_NE(error(path()).find("models: holds something"), std::string::npos) << error(path());
  EXPECT_EQ(all(), before);
  fs::remove_all(path("models/c"));
  EXPECT_EQ(error(path()), "");
  EXPECT_EQ(all(), (std::set<std::string>{"models"}));  // no list says that it is ours
  {
    OutputFolder folder(path(), files);
    write_weights(folder);
  }
  put("models/c/thesis.txt");
  EXPECT_EQ(error(path()), "");
}

TEST_F(OutputFolders, OtherFilesAreLetAlone) {
  put("thesis.txt");
  put("last/thesis.txt");
  {
    OutputFolder folder(path(), files);
    write_weights(folder);
    write_file(folder.at("config.json"), "{}");
    write_file(folder.at("last/model.safetensors"), "x");
    put(".config.json.statera-partial");  // may be anybody's
  }
  EXPECT_EQ(all(),
            (std::set<std::string>{"thesis.txt", "last", "last/thesis.txt", "last/model.safetensors", "config.json",
                                   "statera.json", "model.safetensors", ".config.json.statera-partial"}));
  EXPECT_EQ(error(path()), "");  // ours now
  put("last/config.json");       // no name of ours
  OutputFolder::remove(path(), files);
  EXPECT_EQ(all(), (std::set<std::string>{"thesis.txt", "last", "last/thesis.txt", "last/config.json",
                                          ".config.json.statera-partial"}));
}

TEST_F(OutputFolders, WithoutOutputNothingIsLeft) {
  OutputFolder::check(path("a/b/"), files);
  EXPECT_TRUE(all().empty());
  {
    OutputFolder folder(path("a/b"), files);
    EXPECT_EQ(folder.at("last/model.safetensors").path, path("a/b/last/model.safetensors"));
    EXPECT_TRUE(fs::is_directory(path("a/b/last")));
  }
  EXPECT_TRUE(all().empty());
  {
    OutputFolder folder(path("a/b"), files);
    write_weights(folder);
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
  EXPECT_TRUE(all().empty());
}

TEST_F(OutputFolders, WhatAKilledWriterLeftBesideItsFilesGoes) {
  const pid_t child = fork();
  if (child == 0) {
    OutputFolder folder(path(), files);
    write_weights(folder);
    write_file(folder.at("config.json"), "{}");
    AtomicFile weights(folder.at("last/model.safetensors"));
    weights.write("half");
    _exit(0);  // no destructor
  }
  waitpid(child, nullptr, 0);
  put("last/.model.safetensors.statera-partial");
  EXPECT_EQ(all().size(), 7u);
  EXPECT_EQ(error(path()), "");
  EXPECT_EQ(all(), (std::set<std::string>{"config.json", "statera.json", "model.safetensors", "last",
                                          "last/.model.safetensors.statera-partial"}));
}

TEST_F(OutputFolders, ALockThatIsNotOursIsRefusedAndStays) {
  const std::string lock = path("o/.statera.lock");
  fs::create_directory(path("o"));
  const auto refused = [&](const std::string& why) {
    const auto before = all();
    const std::string said = error(path("o"));
    EXPECT_NE(said.find(lock), std::string::npos) << said;
    EXPECT_NE(said.find(why), std::string::npos) << said;
    EXPECT_EQ(all(), before);
  };
  put("o/.statera.lock");
  refused("by its contents");
  EXPECT_EQ(fs::file_size(lock), std::string("o/.statera.lock").size());
  fs::remove(lock);
  put("thesis.txt");
  fs::create_symlink("../thesis.txt", lock);
  refused("not a plain file");
  fs::remove(lock);
  ASSERT_EQ(mkfifo(lock.c_str(), 0600), 0);
  refused("not a plain file");
  fs::remove(lock);
  fs::create_directory(lock);
  refused("not a plain file");
  fs::remove(lock);
  std::ofstream(path("empty"));
  fs::create_hard_link(path("empty"), lock);
  refused("another name");
}

TEST_F(OutputFolders, AFolderThatIsMovedStaysTheOneThatIsWritten) {
  OutputFolder folder(path("o"), files);
  write_file(folder.at("config.json"), "old");
  EXPECT_NO_THROW(folder.check_place());
  fs::rename(path("o"), path("moved"));
  put("o/config.json");
  put("o/last/model.safetensors");
  const auto before = all();
  write_file(folder.at("config.json"), "new");
  write_file(folder.at("last/model.safetensors"), "new");
  std::fclose(folder.append("model.safetensors"));
  folder.remove("model.safetensors");
  folder.link("winner", "last");
  std::set<std::string> now = all(), more = {"moved/last", "moved/last/model.safetensors", "moved/winner"};
  more.insert(before.begin(), before.end());
  EXPECT_EQ(now, more);
  EXPECT_EQ(fs::file_size(path("o/config.json")), std::string("o/config.json").size());
  EXPECT_EQ(fs::file_size(path("moved/config.json")), 3u);
  try {
    folder.check_place();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("is now " + path("moved")), std::string::npos) << error.what();
  }
  fs::remove_all(path("moved"));
  EXPECT_THROW(folder.at("config.json"), Error);
}

TEST_F(OutputFolders, WithoutItsLockNothingIsWritten) {
  OutputFolder folder(path(), files);
  write_file(folder.at("last/model.safetensors"), "x");
  fs::rename(path("last"), path("mine"));
  put("last/model.safetensors");
  EXPECT_THROW(folder.at("last/model.safetensors"), Error);  // somebody else's folder now
  fs::remove(path("last/model.safetensors"));
  fs::remove(path(".statera.lock"));
  EXPECT_THROW(folder.at("config.json"), Error);
  {
    const OutputFolder second(path(), files);
    EXPECT_THROW(folder.at("config.json"), Error);
    EXPECT_THROW(folder.append("config.json"), Error);
  }
  put(".statera.lock");
  EXPECT_THROW(folder.at("config.json"), Error);
}

TEST_F(OutputFolders, AFolderOfAnotherWriterIsRefused) {
  OutputFolder folder(path("run"), files);
  fs::create_directory_symlink("run", path("link"));
  for (const char* inside :
       {"run/last", "link/last", "run/./x/../last", "run/last/below/it", "run/winner", "run/winner/below"}) {
    const auto before = all();
    EXPECT_NE(error(path(inside)).find("belongs to the comparison in"), std::string::npos)
        << inside << error(path(inside));
    EXPECT_EQ(all(), before);
  }
  EXPECT_EQ(error(path("run/mine")), "");
  EXPECT_EQ(error(path("run/models")), "");  // its own writer's
  EXPECT_EQ(error(path("run/models/a")), "");
  const pid_t child = fork();
  if (child == 0) _exit(error(path("run/models/a")).find("belongs to the comparison in") == std::string::npos);
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  {
    OutputFolder last(path("other/last"), files);
    write_file(last.at("config.json"), "{}");
  }
  EXPECT_NE(error(path("other")).find("other/last: is the folder of another model"), std::string::npos)
      << error(path("other"));
}

TEST_F(OutputFolders, WhatHasAnotherNameTooKeepsItsBytesThere) {
  OutputFolder folder(path(), files);
  const auto bytes = [&](const std::string& name) {
    std::ifstream file(path(name));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  write_file(folder.at("config.json"), "abcdef");
  fs::create_hard_link(path("config.json"), path("backup"));
  std::FILE* file = folder.append("config.json", 3);
  std::fputs("new", file);
  std::fclose(file);
  EXPECT_EQ(bytes("backup") + " " + bytes("config.json"), "abcdef abcnew");
  fs::create_hard_link(path("config.json"), path("second"));
  folder.own("config.json");
  EXPECT_EQ(fs::hard_link_count(path("config.json")), 1u);
  EXPECT_EQ(bytes("second") + " " + bytes("config.json"), "abcnew abcnew");
}

TEST_F(OutputFolders, WhatCannotBeWrittenIsSeenAtOnce) {
  {
    OutputFolder folder(path(), files);
    write_weights(folder, "last/model.safetensors");
  }
  fs::permissions(path(), fs::perms::all);
  fs::permissions(path("statera.json"), fs::perms::all);
  fs::permissions(path("last"),
                  fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
  EXPECT_TRUE(test::as_nobody([&] {
    return error(path()).find("last/model.safetensors: cannot create the file: Permission denied") != std::string::npos;
  }));
  fs::permissions(path("last"), fs::perms::owner_all);
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
  write_safetensors(path("weights"), {}, {{"format", "statera"}});
  fs::rename(path("weights"), path("model.safetensors"));
  put("winner");
  EXPECT_NE(error(path()).find("winner: is no symbolic link"), std::string::npos) << error(path());
  fs::remove(path("winner"));
  fs::create_symlink("last", path("winner"));
  EXPECT_EQ(error(path()), "");
}

TEST_F(OutputFolders, TheListAloneIsNoProof) {
  const auto refused = [&](const char* name) {
    put(name);
    const auto before = all();
    EXPECT_NE(error(path()).find(std::string(name) + ": was not written by statera"), std::string::npos)
        << error(path());
    EXPECT_EQ(all(), before);
    fs::remove(path(name));
  };
  {
    OutputFolder folder(path(), files);
    write_weights(folder);
    write_file(folder.at("config.json"), "{}");
  }
  EXPECT_EQ(error(path()), "");
  for (const char* name : {"model.safetensors", "config.json"}) fs::remove(path(name));  // the list stays
  for (const char* name : {"config.json", "model.safetensors", "last/model.safetensors"}) refused(name);
  std::ofstream(path("config.json"));  // nothing to lose
  EXPECT_EQ(error(path()), "");
  const pid_t child = fork();
  if (child == 0) {
    const OutputFolder folder(path("killed"), files);
    _exit(0);  // before it wrote anything
  }
  waitpid(child, nullptr, 0);
  put("killed/config.json");
  EXPECT_NE(error(path("killed")).find("config.json: was not written by statera"), std::string::npos)
      << error(path("killed"));
}

TEST_F(OutputFolders, ARefusalChangesNoList) {
  const auto text = [&] {
    std::ifstream file(path("statera.json"));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto put_list = [&](const std::string& list) { std::ofstream(path("statera.json")) << list; };
  write_safetensors(path("model.safetensors"), {}, {{"format", "statera"}});
  const std::string none = R"({"format_version": 1, "files_of_statera": []})";
  put_list(none);
  EXPECT_NE(error(path()).find("model.safetensors: was not written by statera"), std::string::npos) << error(path());
  EXPECT_EQ(text(), none);
  const OutputFiles others{.names = {"report.html"}, .known_by = {"report.html"}, .link = {}};
  OutputFolder::check(path(), others);  // by a writer who writes nothing
  EXPECT_EQ(text(), none);
  EXPECT_NE(error(path()), "");
  { write_file(OutputFolder(path(), others).at("report.html"), "x"); }
  EXPECT_NE(text().find("report.html"), std::string::npos) << text();
  fs::remove(path("report.html"));
  for (const char* newer : {R"({"format_version": 99, "files_of_statera": ["model.safetensors"], "more": 1})",
                            R"({"format_version": 2, "files_of_statera": []})"}) {
    put_list(newer);
    EXPECT_NE(error(path()).find("statera.json: format_version "), std::string::npos) << error(path());
    EXPECT_NE(error(path("models/a")).find("this program reads 1"), std::string::npos) << error(path("models/a"));
    EXPECT_THROW(own_files(path()), Error);
    EXPECT_EQ(text(), newer);
  }
  put_list(R"({"files_of_statera": []})");
  EXPECT_NE(error(path()).find("statera.json: is no list of files that statera wrote"), std::string::npos)
      << error(path());
}

TEST_F(OutputFolders, AListThatCannotBeReadIsAnError) {
  { write_file(OutputFolder(path(), files).at("config.json"), "{}"); }
  fs::permissions(path(), fs::perms::all);
  fs::permissions(path("statera.json"), fs::perms::none);
  EXPECT_TRUE(test::as_nobody([&] {
    try {
      own_files(path());
      return false;
    } catch (const Error& error) {
      return std::string(error.what()).find("statera.json: cannot read: Permission denied") != std::string::npos;
    }
  }));
  fs::remove(path("statera.json"));
  ASSERT_EQ(mkfifo(path("statera.json").c_str(), 0600), 0);
  EXPECT_TRUE(own_files(path()).empty());
}

TEST_F(OutputFolders, ALockOfAProcessOfTheSameNameAndNumberIsNotOurs) {
  std::string lock;
  {
    OutputFolder folder(path("run"), files);
    write_weights(folder);
    std::ifstream file(path("run/.statera.lock"));
    std::getline(file, lock);
  }
  std::ofstream(path("run/.statera.lock")) << lock << "\nabc\n";  // from another container
  const int file = open(path("run/.statera.lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(flock(file, LOCK_EX), 0);
  EXPECT_NE(error(path("run/models/a")).find("belongs to the comparison in"), std::string::npos)
      << error(path("run/models/a"));
  close(file);
}

TEST_F(OutputFolders, ANewFolderSurvivesALossOfPower) {
  synced().clear();
  OutputFolder folder(path("a/b"), files);
  write_weights(folder, "last/model.safetensors");
  for (const char* name : {"", "a", "a/b", "a/b/last"})
    EXPECT_TRUE(synced().contains(fs::canonical(path(name)).string())) << name;
}

TEST_F(OutputFolders, FoldersThatCannotBeAreNamed) {
  put("file");
  for (const char* name : {"file", "file/below"})
    EXPECT_NE(error(path(name)).find(name), std::string::npos) << error(path(name));
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
            (std::set<std::string>{"statera.json", ".statera.lock", "config.json", "last/model.safetensors",
                                   "model.safetensors", "winner", "models/"}));
  fs::create_symlink("config.json", path("link"));
  put(".statera.lock");
  for (const char* name :
       {"config.json", "last/model.safetensors", "last/../config.json", "link", "model.safetensors", ".statera.lock"})
    EXPECT_THROW(check_named_output(path(name)), Error) << name;
  write_safetensors(path("state.safetensors"), {}, {{"format", "statera snapshot 1"}});
  EXPECT_THROW(check_named_output(path("state.safetensors")), Error);
  OutputPlace place(path("state.safetensors"));
  place.may_replace = "statera snapshot";
  EXPECT_NO_THROW(check_named_output(place));
  place.may_replace = "statera checkpoint";
  EXPECT_THROW(check_named_output(place), Error);
  EXPECT_THROW(AtomicFile{path("config.json")}, Error);
  for (const char* name : {"thesis.txt", "new"}) EXPECT_NO_THROW(check_named_output(path(name)));
}

}  // namespace
}  // namespace statera
