// Runs the program `statera` (program_path()) in a folder of its own, through the shell.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "support/any_mixer.hpp"
#include "support/paths.hpp"

namespace statera {

struct Ran {
  int code;  // exit status; 128 + n for a signal
  std::string out, err;
};

class Program : public ::testing::Test {
 protected:
  Program() {
    std::string name = (std::filesystem::temp_directory_path() / "statera_cli_XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~Program() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // `statera ARGUMENTS` with this folder as the working directory; what stands in `before` comes first ("timeout -s
  // KILL 1").
  Ran run(const std::string& arguments, const std::string& before = "") const {
    const std::string command =
        "cd " + folder_ + " && " + before + " " + test::program_path() + " " + arguments + " >out.txt 2>err.txt";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read("out.txt"), read("err.txt")};
  }
  // The same in the background, from when `file` is there (or the program has ended).
  pid_t start(const std::string& arguments, const std::string& file, const std::string& out = "out.txt",
              const std::string& err = "err.txt") const {
    const std::string command =
        "cd " + folder_ + " && exec " + test::program_path() + " " + arguments + " >" + out + " 2>" + err;
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    const auto lives = [child] {
      siginfo_t ended = {};
      return waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0;
    };
    while (!std::filesystem::exists(path(file)) && lives()) usleep(10'000);
    return child;
  }
  static int end(pid_t child, int signal) {
    int status = 0;
    kill(child, signal);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  // With a signal once `file` is there and some time has passed.
  Ran run_and_signal(const std::string& arguments, const std::string& file, int signal, int milliseconds) const {
    const pid_t child = start(arguments, file);
    usleep(static_cast<useconds_t>(milliseconds) * 1000);
    const int code = end(child, signal);
    return {code, read("out.txt"), read("err.txt")};
  }
  // Fails with `code` and one line on standard error that has `part`.
  void fails(const std::string& arguments, int code, const std::string& part) const {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, code) << arguments << "\n" << ran.err;
    const size_t last = ran.err.rfind('\n', ran.err.size() - 2);
    const std::string line = last == std::string::npos ? ran.err : ran.err.substr(last + 1);
    EXPECT_EQ(line.rfind("statera", 0), 0u) << line;
    EXPECT_NE(line.find(part), std::string::npos) << line;
  }

 private:
  std::string folder_;
};

}  // namespace statera
