// Lines of progress at the bottom of a terminal, which are overwritten. Each is cut to the current width of the
// terminal. If the stream is not a terminal, every line that is set is printed as a line of its own, so the caller
// decides how often.
//
// Borrows the stream. While lines stand there, nothing else may write to that terminal: call keep() or clear() before.
// Not thread safe.
#pragma once
#include <cstdio>
#include <string>
#include <vector>

namespace statera::cli {

class LiveLines {
 public:
  explicit LiveLines(std::FILE* out = stderr);
  ~LiveLines();  // like keep()
  LiveLines(const LiveLines&) = delete;
  LiveLines& operator=(const LiveLines&) = delete;

  bool terminal() const { return terminal_; }
  size_t columns() const;  // the current width of a line; the largest number where there is no terminal
  void set(size_t index, const std::string& line);  // lines before it that were never set are empty
  void print(const std::string& line);              // a line that stays, above the others
  void keep();                                      // leaves the lines on the terminal; later output comes below them
  void clear();                                     // removes the lines from the terminal

 private:
  std::string to_top();
  std::string block();
  void write(const std::string& text);

  std::FILE* out_;
  const bool terminal_;
  std::vector<std::string> lines_;
  // lines on the terminal, and columns of the widest; the cursor is after the last one
  size_t drawn_ = 0, widest_ = 0;
};

}  // namespace statera::cli
