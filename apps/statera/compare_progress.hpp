// The progress of a comparison, on standard error. On a terminal: one line per candidate, which is overwritten, and one
// with the leader and the remaining time. Elsewhere: a new line whenever a candidate enters a new stage.
#pragma once
#include <map>
#include <string>

#include "lab/compare/compare.hpp"
#include "live_lines.hpp"

namespace statera::cli {

// "  mamba2     train seed 1       43 %   2.345"
std::string candidate_line(const CompareStatus::Line& line, size_t widest_name);
// "  leader so far: mamba2 with 2.345 bits per byte; 1 m 20 s left"
std::string summary_line(const CompareStatus& status);

// Owns its lines. Not thread safe.
class CompareProgress {
 public:
  void show(const CompareStatus& status);
  void note(const std::string& line) { lines_.print(line); }
  void finish() { lines_.clear(); }  // call it before anything else is written

 private:
  LiveLines lines_;
  // the last line printed for each candidate, where there is no terminal
  std::map<std::string, std::string> stages_;
};

}  // namespace statera::cli
