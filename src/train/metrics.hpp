// metrics.jsonl: one JSON object per line, for every step and every evaluation.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>

#include "io/output_folder.hpp"
#include "statera/train.hpp"

namespace statera {

// Owns the open file. Not thread safe. add() keeps its first error for flush() to throw.
class MetricsLog {
 public:
  // Keeps the first `keep` bytes of the file and appends to them. If there are fewer, or the last line is incomplete,
  // it continues after the last complete line. Throws ErrorCode::io.
  MetricsLog(OutputFolder& folder, int64_t keep);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  void add(const TrainProgress&);  // allocates nothing
  int64_t flush();                 // writes to the disk and returns the length of the file; throws ErrorCode::io
  int64_t missing() const { return missing_; }  // how many of the bytes to keep were not there

 private:
  std::string path_, line_;
  int64_t missing_;
  std::FILE* file_;
  int error_ = 0;  // the first one that add() met
};

}  // namespace statera
