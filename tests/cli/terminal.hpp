// Runs the program `statera` in a terminal (a pty), and a screen that understands what it writes: enough of a terminal
// to see what a user sees.
#pragma once
#include <pty.h>
#include <sys/ioctl.h>

#include <functional>
#include <string>
#include <vector>

#include "cli/program.hpp"

namespace statera {

// Lines as a terminal of so many columns has them, scrolled ones included; knows \r, \n, ESC [ n A, ESC [ K and ESC [
// J. One column a character.
class Screen {
 public:
  explicit Screen(size_t columns) : columns_(columns) {}

  void write(const std::string& text) {
    for (const char c : text) put(static_cast<unsigned char>(c));
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const auto& row : rows_) {
      std::string line;
      for (const std::string& cell : row) line += cell;
      all.push_back(line);
    }
    return all;
  }
  std::string text() const {
    std::string all;
    for (const std::string& line : lines()) all += line + "\n";
    return all;
  }

 private:
  void put(unsigned char c) {
    if (!escape_.empty() || c == 0x1B) return escape(static_cast<char>(c));
    if (c == '\r')
      column_ = 0;
    else if (c == '\n')
      ++row_;
    else if ((c & 0xC0) == 0x80)
      cell_back() += static_cast<char>(c);
    else {
      if (column_ == columns_) column_ = 0, ++row_;
      cell(column_++) = static_cast<char>(c);
    }
    if (rows_.size() <= row_) rows_.resize(row_ + 1);
  }
  void escape(char c) {
    escape_ += c;
    if (escape_.size() < 3 || (c >= '0' && c <= '9')) return;
    const size_t n = escape_.size() > 3 ? std::stoul(escape_.substr(2)) : 1;
    if (c == 'A')
      row_ -= std::min(row_, n);
    else if (c == 'K' || c == 'J') {
      if (row_ < rows_.size()) rows_[row_].resize(std::min(rows_[row_].size(), column_));
      if (c == 'J') rows_.resize(std::min(rows_.size(), row_ + 1));
    } else
      ADD_FAILURE() << "a sequence that the screen does not know: ESC" << escape_.substr(1);
    escape_.clear();
  }
  std::string& cell(size_t column) {
    if (rows_.size() <= row_) rows_.resize(row_ + 1);
    if (rows_[row_].size() <= column) rows_[row_].resize(column + 1, " ");
    return rows_[row_][column];
  }
  std::string& cell_back() { return cell(column_ > 0 ? column_ - 1 : 0); }

  const size_t columns_;
  std::vector<std::vector<std::string>> rows_;
  size_t row_ = 0, column_ = 0;
  std::string escape_;
};

// As `Program`, with standard output and error on a terminal of so many columns. What was written comes back in `out`,
// as it came.
class TerminalProgram : public Program {
 protected:
  Ran run_on_terminal(const std::string& arguments, int columns,
                      const std::function<void(const std::string&, int)>& seen = {}) const {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = static_cast<unsigned short>(columns);
    int terminal = -1;
    const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
    if (child == 0) {
      execl("/bin/sh", "sh", "-c", ("cd " + path(".") + " && exec " + test::program_path() + " " + arguments).c_str(),
            nullptr);
      _exit(127);
    }
    std::string out;
    char buffer[4096];
    // ends with an error when the program has ended
    for (ssize_t got = 0; (got = ::read(terminal, buffer, sizeof buffer)) > 0;) {
      out.append(buffer, static_cast<size_t>(got));
      if (seen) seen(out, terminal);
    }
    int status = 0;
    waitpid(child, &status, 0);
    close(terminal);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out, ""};
  }
};

}  // namespace statera
