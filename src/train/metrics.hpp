// metrics.jsonl: an object a line, for every step and every measurement.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>

#include "io/output_folder.hpp"
#include "statera/train.hpp"

namespace statera {

class MetricsLog {
 public:
  // Keeps the first `keep` bytes of the file and appends. If there are fewer, or the last line is not whole, it ends at
  // the last whole line. Throws io.
  MetricsLog(OutputFolder& folder, int64_t keep);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  void add(const TrainProgress&);               // allocates nothing
  int64_t flush();                              // to the disk; returns the length of the file; throws io
  int64_t missing() const { return missing_; }  // bytes of those to keep that were not there

 private:
  std::string path_, line_;
  int64_t missing_;
  std::FILE* file_;
  int error_ = 0;  // the first that add() met
};

}  // namespace statera
