// Lines at the bottom of a terminal that are written over and over: progress. Each is cut to the terminal's width, as
// it is at that moment. Where the stream is no terminal every line that is set is printed as a line of its own, so
// whoever sets them decides how often.
#pragma once
#include <cstdio>
#include <string>
#include <vector>

namespace statera::cli {

class LiveLines {
 public:
  explicit LiveLines(std::FILE* out = stderr);
  ~LiveLines();  // as keep()
  LiveLines(const LiveLines&) = delete;
  LiveLines& operator=(const LiveLines&) = delete;

  bool terminal() const { return terminal_; }
  size_t columns() const;                           // room in a line now; the largest number where there is no terminal
  void set(size_t index, const std::string& line);  // the lines before it that were never set are empty
  void print(const std::string& line);              // a line that stays, above the block
  void keep();                                      // leaves the block as it stands; what comes next stands below it
  void clear();                                     // takes the block away

 private:
  std::string to_top();
  std::string block();
  void write(const std::string& text);

  std::FILE* out_;
  const bool terminal_;
  std::vector<std::string> lines_;
  // lines on the terminal, and columns of the widest; the cursor stands behind the last
  size_t drawn_ = 0, widest_ = 0;
};

}  // namespace statera::cli
